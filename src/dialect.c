/* dialect.c - see dialect.h
 *
 * Postfix (cleanup_milter.c, milter8.c): the list is [its own Received][the fields]; a
 * deleted field is gone at once and does not count any more; add appends; change beyond the
 * end appends; insert counts every field, its own Received too.
 *
 * Sendmail (milter.c, headers.c): the list begins with the fields of its configuration
 * (H lines), most of them without value; only fields from the sender or a filter (H_USER)
 * are counted and shown.  A deleted field keeps its place, and counts until the next
 * filter is shown the headers.  Behind the manager that moment never comes: hence two
 * marks, what the MTA counts and what it would count for a child of its own. */
#include "config.h"
#include "src/dialect.h"

#include <string.h>

/* Marks of a place, for Sendmail. */
enum {
    MARK_COUNTS = 1 << 0,     /* H_USER as it would be, were the children the MTA's own */
    MARK_MTA_COUNTS = 1 << 1, /* H_USER as it is in the MTA */
    MARK_TRACE = 1 << 2,      /* H_TRACE: never taken for a default field */
};
#define MARK_USER (MARK_COUNTS | MARK_MTA_COUNTS)

struct _MmDialectRules {
    const char *const *hidden; /* names of the fields before the sender's */
    void (*add)(MilterMessage *message, MilterField *field, guint32 *index, guint8 *reply);
    void (*insert)(MilterMessage *message, MilterField *field, guint32 index);
    /* FIELD NULL: delete. */
    void (*change)(MilterMessage *message, const char *name, MilterField *field, guint32 *index);
    void (*renumber)(MilterMessage *message);
    gboolean tab_after_newline; /* a continuation line without blank gets a TAB */
    gboolean ends_last_line;    /* of a replaced body */
};

/* --- common --- */

static gboolean
has_name(const MilterPlace *place, const char *name)
{
    return g_ascii_strcasecmp(place->field->wire, name) == 0;
}

static gboolean
is_trace(const char *name)
{
    static const char *const traces[] = { "received", "x400-received", "via", "mail-from" };

    for (guint i = 0; i < G_N_ELEMENTS(traces); i++)
        if (g_ascii_strcasecmp(name, traces[i]) == 0)
            return TRUE;
    return FALSE;
}

/* The first place with NAME, or the length of the list. */
static guint
first_of_name(const MilterMessage *message, const char *name)
{
    guint i;

    for (i = 0; i < message->places->len; i++)
        if (has_name(milter_message_place(message, i), name))
            break;
    return i;
}

/* --- Postfix --- */

static const char *const postfix_hidden[] = { "Received", NULL };

static void
postfix_add(MilterMessage *message, MilterField *field, guint32 *index, guint8 *reply)
{
    milter_message_insert(message, G_MAXUINT, field, TRUE, 0);
}

static void
postfix_insert(MilterMessage *message, MilterField *field, guint32 index)
{
    milter_message_insert(message, index, field, TRUE, 0);
}

static void
postfix_change(MilterMessage *message, const char *name, MilterField *field, guint32 *index)
{
    guint32 left = MAX(*index, 1);

    for (guint i = 0; i < message->places->len; i++) {
        MilterPlace *place = milter_message_place(message, i);

        if (!place->is_shown || !has_name(place, name) || --left)
            continue;
        if (field)
            milter_message_set(message, i, field);
        else
            milter_message_remove(message, i);
        return;
    }
    if (field)
        postfix_add(message, field, NULL, NULL);
}

static void
postfix_renumber(MilterMessage *message)
{
}

static const MmDialectRules postfix = {
    .hidden = postfix_hidden,
    .add = postfix_add,
    .insert = postfix_insert,
    .change = postfix_change,
    .renumber = postfix_renumber,
    .tab_after_newline = TRUE,
    .ends_last_line = TRUE,
};

/* --- Sendmail --- */

/* The H lines of sendmail.cf as shipped (cf/m4/proto.m4). */
static const char *const sendmail_hidden[] = {
    "Return-Path", "Received", "Resent-Date", "Date", "Resent-From", "From", "Full-Name",
    "Resent-Message-Id", "Message-Id", NULL,
};

static guint8
sendmail_marks(const char *name)
{
    return MARK_USER | (is_trace(name) ? MARK_TRACE : 0);
}

/* The index by which the MTA counts the place, 0 when it does not count it. */
static guint32
mta_index(const MilterMessage *message, guint position)
{
    const MilterPlace *wanted = milter_message_place(message, position);
    guint32 index = 0;

    if (!(wanted->marks & MARK_MTA_COUNTS))
        return 0;
    for (guint i = 0; i <= position; i++) {
        const MilterPlace *place = milter_message_place(message, i);

        if ((place->marks & MARK_MTA_COUNTS) && has_name(place, wanted->field->wire))
            index++;
    }
    return index;
}

/* An index above all that the MTA counts of the name. */
static guint32
index_beyond(const MilterMessage *message, const char *name)
{
    guint32 index = 1;

    for (guint i = 0; i < message->places->len; i++) {
        const MilterPlace *place = milter_message_place(message, i);

        if ((place->marks & MARK_MTA_COUNTS) && has_name(place, name))
            index++;
    }
    return index;
}

static gboolean
is_default(const MilterPlace *place)
{
    return !(place->marks & (MARK_COUNTS | MARK_TRACE));
}

/* Put a value into a place: the name stays as it was. */
static void
sendmail_fill(MilterMessage *message, guint position, MilterField *field)
{
    MilterPlace *place = milter_message_place(message, position);
    MilterField *renamed =
        milter_field_new(field->budget, place->field->wire, place->field->name_size,
                         milter_field_value(field), field->value_size);

    milter_message_set(message, position, renamed);
    place->marks |= MARK_USER;
    milter_field_unref(field);
}

static void
sendmail_add_new(MilterMessage *message, MilterField *field)
{
    milter_message_insert(message, first_of_name(message, field->wire), field, TRUE,
                          sendmail_marks(field->wire));
}

/* A place of the name that does not count is used again; else before the first of the name. */
static void
sendmail_add(MilterMessage *message, MilterField *field, guint32 *index, guint8 *reply)
{
    for (guint i = 0; i < message->places->len; i++) {
        MilterPlace *place = milter_message_place(message, i);

        if (!has_name(place, field->wire) || !is_default(place))
            continue;
        /* The MTA still counts it, and would add another: a change does what is meant. */
        *index = mta_index(message, i);
        if (*index)
            *reply = SMFIR_CHGHEADER;
        sendmail_fill(message, i, field);
        return;
    }
    sendmail_add_new(message, field);
}

static void
sendmail_insert(MilterMessage *message, MilterField *field, guint32 index)
{
    /* insheader() puts it behind the field that the index names; a negative one is 0. */
    guint end = message->places->len;
    guint position = (gint32)index < 0 ? MIN(1, end) : index < end ? index + 1 : end;

    milter_message_insert(message, position, field, TRUE, sendmail_marks(field->wire));
}

/* The place a change means: the index-th that counts, else the last default; -1 when none. */
static int
sendmail_find(const MilterMessage *message, const char *name, guint32 index)
{
    gint32 left = (gint32)index;
    int found = -1;

    for (guint i = 0; i < message->places->len; i++) {
        const MilterPlace *place = milter_message_place(message, i);

        if (!has_name(place, name))
            continue;
        if (place->marks & MARK_COUNTS) {
            if (left <= 1)
                return i;
            left--;
        }
        if (is_default(place))
            found = i;
    }
    return found;
}

static void
sendmail_change(MilterMessage *message, const char *name, MilterField *field, guint32 *index)
{
    int position = sendmail_find(message, name, *index);

    *index = position >= 0 ? mta_index(message, position) : 0;
    if (*index == 0)
        *index = index_beyond(message, name);
    if (position < 0) {
        if (field)
            sendmail_add_new(message, field);
        return;
    }
    if (field)
        sendmail_fill(message, position, field);
    else
        milter_message_place(message, position)->is_shown = FALSE;
}

static void
sendmail_renumber(MilterMessage *message)
{
    for (guint i = 0; i < message->places->len; i++) {
        MilterPlace *place = milter_message_place(message, i);

        if (!place->is_shown)
            place->marks &= ~MARK_COUNTS;
    }
}

static const MmDialectRules sendmail = {
    .hidden = sendmail_hidden,
    .add = sendmail_add,
    .insert = sendmail_insert,
    .change = sendmail_change,
    .renumber = sendmail_renumber,
    .tab_after_newline = FALSE,
    .ends_last_line = FALSE,
};

/* --- public --- */

void
mm_dialect_init(MmDialect *dialect, MmMta mta)
{
    dialect->rules = mta == MM_MTA_SENDMAIL ? &sendmail : &postfix;
}

gboolean
mm_dialect_ends_last_line(const MmDialect *dialect)
{
    return dialect->rules->ends_last_line;
}

void
mm_dialect_begin(const MmDialect *dialect, MilterMessage *message)
{
    for (guint i = 0; dialect->rules->hidden[i]; i++) {
        const char *name = dialect->rules->hidden[i];
        MilterField *field = milter_field_new(NULL, name, strlen(name), "", 0);

        milter_message_insert(message, G_MAXUINT, field, FALSE, is_trace(name) ? MARK_TRACE : 0);
    }
}

void
mm_dialect_append(const MmDialect *dialect, MilterMessage *message, MilterField *field)
{
    milter_message_insert(message, G_MAXUINT, field, TRUE, sendmail_marks(field->wire));
}

void
mm_dialect_renumber(const MmDialect *dialect, MilterMessage *message)
{
    dialect->rules->renumber(message);
}

static gboolean
is_deletion(guint8 reply, const MilterHeaderEdit *edit)
{
    return reply == SMFIR_CHGHEADER && edit->value_size == 0;
}

/* A value as the MTA holds it: with its leading space where that leg carries it. */
static char *
mta_value(guint8 reply, const MilterHeaderEdit *edit, gboolean child_leading_space,
          gboolean mta_leading_space)
{
    if (!child_leading_space && mta_leading_space && !is_deletion(reply, edit))
        return g_strconcat(" ", edit->value, NULL);
    return g_strdup(edit->value);
}

void
mm_dialect_pass(guint8 reply, const MilterHeaderEdit *edit, gboolean child_leading_space,
                gboolean mta_leading_space, MilterBuffer *out)
{
    g_autofree char *value = mta_value(reply, edit, child_leading_space, mta_leading_space);

    milter_reply_build_header(out, reply, edit->index, edit->name, value);
}

/* As Postfix writes it to the queue file, and shows it to the next filter. */
static char *
tab_continuations(const char *value)
{
    GString *out = g_string_sized_new(strlen(value) + 8);

    for (const char *c = value; *c; c++) {
        g_string_append_c(out, *c);
        if (*c == '\n' && c[1] && c[1] != ' ' && c[1] != '\t')
            g_string_append_c(out, '\t');
    }
    return g_string_free(out, FALSE);
}

static MilterField *
field_of(const MmDialect *dialect, MilterSpoolBudget *budget, const MilterHeaderEdit *edit,
         const char *value)
{
    g_autofree char *shown = dialect->rules->tab_after_newline ? tab_continuations(value)
                                                               : g_strdup(value);

    return milter_field_new(budget, edit->name, edit->name_size, shown, strlen(shown));
}

void
mm_dialect_edit(const MmDialect *dialect, MilterSpoolBudget *budget, MilterMessage *message,
                guint8 reply, const MilterHeaderEdit *edit, gboolean leading_space,
                MilterBuffer *out)
{
    const MmDialectRules *rules = dialect->rules;
    g_autofree char *value = mta_value(reply, edit, leading_space, message->has_leading_space);
    MilterField *field = is_deletion(reply, edit) ? NULL : field_of(dialect, budget, edit, value);
    guint32 index = edit->index;

    switch (reply) {
    case SMFIR_ADDHEADER:
        index = 0;
        rules->add(message, field, &index, &reply);
        break;
    case SMFIR_INSHEADER:
        rules->insert(message, field, index);
        break;
    default:
        rules->change(message, edit->name, field, &index);
    }
    /* An addition that became a change must not become a deletion. */
    if (field && !*value && reply == SMFIR_CHGHEADER)
        milter_reply_build_header(out, reply, index, edit->name, " ");
    else
        milter_reply_build_header(out, reply, index, edit->name, value);
}
