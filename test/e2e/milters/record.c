/* record.c - what one connection of a scripted milter saw and did */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_QUOTE 4096

/* Everything that Postfix or Sendmail sends or can be asked for. */
static const char *const macro_names[] = {
    "i",
    "j",
    "_",
    "v",
    "b",
    "s",
    "r",
    "{daemon_name}",
    "{daemon_addr}",
    "{daemon_port}",
    "{if_name}",
    "{if_addr}",
    "{client_name}",
    "{client_addr}",
    "{client_port}",
    "{client_ptr}",
    "{client_resolve}",
    "{client_connections}",
    "{tls_version}",
    "{cipher}",
    "{cipher_bits}",
    "{cert_subject}",
    "{cert_issuer}",
    "{auth_type}",
    "{auth_authen}",
    "{auth_ssf}",
    "{auth_author}",
    "{mail_mailer}",
    "{mail_host}",
    "{mail_addr}",
    "{rcpt_mailer}",
    "{rcpt_host}",
    "{rcpt_addr}",
    "{msg_id}",
    "{nrcpts}",
    "{nbadrcpts}",
    "{envid}",
    "{ntries}",
    "{addr_type}",
    "{load_avg}",
    "{client_flags}",
    "{daemon_flags}",
    "{daemon_family}",
    "{hdrlen}",
    "{if_family}",
    "{mail_from}",
    "f",
};

struct Record {
    FILE *file;
    char *macros[G_N_ELEMENTS(macro_names)]; /* last value seen, NULL = not set */
};

static gint last_number;

Record *
record_open(const char *directory)
{
    int number = g_atomic_int_add(&last_number, 1) + 1;
    char *path = g_strdup_printf("%s/log.%06d", directory, number);
    Record *record = g_new0(Record, 1);

    record->file = fopen(path, "w");
    if (record->file == NULL) {
        fprintf(stderr, "scripted: cannot write %s\n", path);
        exit(2);
    }
    setvbuf(record->file, NULL, _IOLBF, BUFSIZ);
    g_free(path);
    return record;
}

void
record_close(Record **record_p)
{
    Record *record = g_steal_pointer(record_p);

    if (record == NULL)
        return;
    fputs("closed\n", record->file);
    fclose(record->file);
    for (guint i = 0; i < G_N_ELEMENTS(macro_names); i++)
        g_free(record->macros[i]);
    g_free(record);
}

void
record_line(Record *record, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(record->file, format, args);
    va_end(args);
    fputc('\n', record->file);
}

static guint32
checksum(const char *bytes, gsize size)
{
    guint32 sum = 2166136261u;

    for (gsize i = 0; i < size; i++)
        sum = (sum ^ (guint8)bytes[i]) * 16777619u;
    return sum;
}

char *
record_quote(const char *bytes, gsize size)
{
    GString *text = g_string_new("\"");
    gsize shown = MIN(size, LONGEST_QUOTE);

    for (gsize i = 0; i < shown; i++) {
        guint8 c = (guint8)bytes[i];
        if (c == '\r')
            g_string_append(text, "\\r");
        else if (c == '\n')
            g_string_append(text, "\\n");
        else if (c == '"' || c == '\\' || c < ' ' || c > '~')
            g_string_append_printf(text, "\\x%02x", c);
        else
            g_string_append_c(text, (char)c);
    }
    g_string_append_c(text, '"');
    if (shown < size)
        g_string_append_printf(text, "... size=%" G_GSIZE_FORMAT " sum=%08x", size,
                               checksum(bytes, size));
    return g_string_free(text, FALSE);
}

void
record_macros(Record *record, SMFICTX *ctx)
{
    for (guint i = 0; i < G_N_ELEMENTS(macro_names); i++) {
        const char *value = smfi_getsymval(ctx, (char *)macro_names[i]);
        char *quoted;

        if (g_strcmp0(value, record->macros[i]) == 0)
            continue;
        g_free(record->macros[i]);
        record->macros[i] = g_strdup(value);
        if (value == NULL) {
            record_line(record, "  %s gone", macro_names[i]);
            continue;
        }
        quoted = record_quote(value, strlen(value));
        record_line(record, "  %s=%s", macro_names[i], quoted);
        g_free(quoted);
    }
}
