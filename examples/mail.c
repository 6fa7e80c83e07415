/* mail.c - see mail.h */
#include "mail.h"

#include <string.h>

static void
free_header(gpointer object)
{
    MailHeader *header = object;

    g_free(header->name);
    g_free(header->value);
    g_free(header);
}

static MailHeader *
header_new(const char *name, const char *value)
{
    MailHeader *header = g_new(MailHeader, 1);

    header->name = g_strdup(name);
    header->value = g_strdup(value);
    return header;
}

/* Take the header field LINE, or the continuation of the last; FALSE when it is neither. */
static gboolean
take_header_line(Mail *mail, const char *line)
{
    const char *colon = strchr(line, ':');
    g_autofree char *name = NULL;

    if (line[0] == ' ' || line[0] == '\t') {
        MailHeader *last;
        char *value;

        if (mail->headers->len == 0)
            return FALSE;
        last = g_ptr_array_index(mail->headers, mail->headers->len - 1);
        value = g_strconcat(last->value, "\n", line, NULL);
        g_free(last->value);
        last->value = value;
        return TRUE;
    }
    if (!colon || colon == line)
        return FALSE;
    name = g_strndup(line, (gsize)(colon - line));
    g_ptr_array_add(mail->headers, header_new(name, colon + 1));
    return TRUE;
}

/* Add TEXT to the body with CRLF line ends. */
static void
append_body(Mail *mail, const char *text, gsize size)
{
    for (gsize i = 0; i < size; i++) {
        gboolean has_cr = i > 0 && text[i - 1] == '\r';

        if (text[i] == '\n' && !has_cr)
            g_byte_array_append(mail->body, (const guint8 *)"\r", 1);
        g_byte_array_append(mail->body, (const guint8 *)text + i, 1);
    }
    if (size > 0 && text[size - 1] != '\n')
        g_byte_array_append(mail->body, (const guint8 *)"\r\n", 2);
}

static Mail *
parse(const char *text, gsize size)
{
    Mail *mail = g_new0(Mail, 1);
    const char *end = text + size;

    mail->headers = g_ptr_array_new_with_free_func(free_header);
    mail->recipients = g_ptr_array_new_with_free_func(g_free);
    mail->body = g_byte_array_new();
    while (text < end) {
        const char *line_end = memchr(text, '\n', (gsize)(end - text));
        const char *next = line_end ? line_end + 1 : end;
        g_autofree char *line = g_strndup(text, (gsize)((line_end ? line_end : end) - text));

        g_strchomp(line);
        if (line[0] == '\0') {
            text = next;
            break;
        }
        /* A line that is no header begins the body. */
        if (!take_header_line(mail, line))
            break;
        text = next;
    }
    append_body(mail, text, (gsize)(end - text));
    return mail;
}

static char *
read_stdin(gsize *size)
{
    GString *text = g_string_new(NULL);
    char part[4096];
    gsize n;

    while ((n = fread(part, 1, sizeof(part), stdin)) > 0)
        g_string_append_len(text, part, (gssize)n);
    *size = text->len;
    return g_string_free(text, FALSE);
}

Mail *
mail_read(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize size = 0;

    if (strcmp(path, "-") == 0)
        text = read_stdin(&size);
    else if (!g_file_get_contents(path, &text, &size, error))
        return NULL;
    return parse(text, size);
}

void
mail_free(Mail *mail)
{
    g_ptr_array_unref(mail->headers);
    g_ptr_array_unref(mail->recipients);
    g_byte_array_unref(mail->body);
    g_free(mail->sender);
    g_free(mail);
}

void
mail_write(const Mail *mail, FILE *file)
{
    for (guint i = 0; i < mail->headers->len; i++) {
        const MailHeader *header = g_ptr_array_index(mail->headers, i);

        fprintf(file, "%s:%s\n", header->name, header->value);
    }
    fputc('\n', file);
    for (guint i = 0; i < mail->body->len; i++) {
        const guint8 *byte = mail->body->data + i;

        if (*byte != '\r' || i + 1 == mail->body->len || byte[1] != '\n')
            fputc(*byte, file);
    }
}

void
mail_begin_edits(Mail *mail)
{
    mail->has_new_body = FALSE;
}

/* Where the INDEX-th header (from 1; 0 is 1) of that name is, or -1. */
static int
find_header(const Mail *mail, const char *name, guint32 index)
{
    for (guint i = 0; i < mail->headers->len; i++) {
        const MailHeader *header = g_ptr_array_index(mail->headers, i);

        if (g_ascii_strcasecmp(header->name, name) == 0 && index-- <= 1)
            return (int)i;
    }
    return -1;
}

static char *
change_header(Mail *mail, const MilterServerEdit *edit)
{
    int at = find_header(mail, edit->name, edit->index);

    if (edit->value[0] == '\0') {
        if (at >= 0)
            g_ptr_array_remove_index(mail->headers, (guint)at);
        return g_strdup_printf("delete header %s (number %u)", edit->name, edit->index);
    }
    if (at >= 0)
        g_ptr_array_remove_index(mail->headers, (guint)at);
    g_ptr_array_insert(mail->headers, at, header_new(edit->name, edit->value));
    return g_strdup_printf("change header %s:%s", edit->name, edit->value);
}

static char *
insert_header(Mail *mail, const MilterServerEdit *edit)
{
    /* Place 0 is above the Received line that the MTA adds, 1 is below: there is none here. */
    guint place = edit->index > 0 ? edit->index - 1 : 0;

    g_ptr_array_insert(mail->headers, (int)MIN(place, mail->headers->len),
                       header_new(edit->name, edit->value));
    return g_strdup_printf("insert header %s:%s", edit->name, edit->value);
}

static char *
replace_body(Mail *mail, const MilterServerEdit *edit)
{
    if (!mail->has_new_body)
        g_byte_array_set_size(mail->body, 0);
    mail->has_new_body = TRUE;
    g_byte_array_append(mail->body, edit->chunk, (guint)edit->chunk_size);
    return g_strdup_printf("replace body (%" G_GSIZE_FORMAT " bytes)", edit->chunk_size);
}

static char *
delete_recipient(Mail *mail, const char *address)
{
    for (guint i = mail->recipients->len; i > 0; i--) {
        if (strcmp(g_ptr_array_index(mail->recipients, i - 1), address) == 0)
            g_ptr_array_remove_index(mail->recipients, i - 1);
    }
    return g_strdup_printf("delete recipient %s", address);
}

char *
mail_edit(Mail *mail, const MilterServerEdit *edit)
{
    switch (edit->kind) {
    case SMFIR_ADDHEADER:
        g_ptr_array_add(mail->headers, header_new(edit->name, edit->value));
        return g_strdup_printf("add header %s:%s", edit->name, edit->value);
    case SMFIR_INSHEADER:
        return insert_header(mail, edit);
    case SMFIR_CHGHEADER:
        return change_header(mail, edit);
    case SMFIR_REPLBODY:
        return replace_body(mail, edit);
    case SMFIR_CHGFROM:
        g_free(mail->sender);
        mail->sender = g_strdup(edit->address);
        return g_strdup_printf("change sender to %s", edit->address);
    case SMFIR_DELRCPT:
        return delete_recipient(mail, edit->address);
    case SMFIR_QUARANTINE:
        return g_strdup_printf("quarantine: %s", edit->reason);
    default: /* SMFIR_ADDRCPT, SMFIR_ADDRCPT_PAR */
        g_ptr_array_add(mail->recipients, g_strdup(edit->address));
        return g_strdup_printf("add recipient %s", edit->address);
    }
}
