/* ledger.c - see ledger.h */
#include "config.h"
#include "test/fuzz/ledger.h"

#include <string.h>

#include "libmilter-core/protocol.h"
#include "libmilter-core/reply.h"

void
ledger_init(Ledger *ledger)
{
    ledger->body = g_byte_array_new();
    for (guint i = 0; i < LEDGER_CHILDREN; i++) {
        ledger->children[i].fields = g_ptr_array_new_with_free_func(g_free);
        ledger->children[i].body = g_byte_array_new();
        ledger->children[i].edits = g_byte_array_new();
    }
}

void
ledger_clear(Ledger *ledger)
{
    model_clear(&ledger->direct);
    model_clear(&ledger->behind);
    g_byte_array_unref(ledger->body);
    g_clear_pointer(&ledger->replaced, g_byte_array_unref);
    g_clear_pointer(&ledger->got, g_byte_array_unref);
    for (guint i = 0; i < LEDGER_CHILDREN; i++) {
        g_ptr_array_unref(ledger->children[i].fields);
        g_byte_array_unref(ledger->children[i].body);
        g_byte_array_unref(ledger->children[i].edits);
    }
}

void
ledger_begin(Ledger *ledger, gboolean is_sendmail, gboolean leading_space, guint32 actions)
{
    model_clear(&ledger->direct);
    model_clear(&ledger->behind);
    model_init(&ledger->direct, is_sendmail);
    model_init(&ledger->behind, is_sendmail);
    g_byte_array_set_size(ledger->body, 0);
    g_clear_pointer(&ledger->replaced, g_byte_array_unref);
    g_clear_pointer(&ledger->got, g_byte_array_unref);
    ledger->is_sure = TRUE;
    ledger->leading_space = leading_space;
    ledger->actions = actions;
}

void
ledger_mta_says(Ledger *ledger, const MilterFrame *frame)
{
    MilterHeader header;
    g_autofree char *value = NULL;

    if (frame->command == SMFIC_BODY || frame->command == SMFIC_BODYEOB)
        g_byte_array_append(ledger->body, frame->payload, (guint)frame->size);
    if (frame->command != SMFIC_HEADER || !milter_command_parse_header(frame, &header, NULL))
        return;
    if (ledger->direct.n > MODEL_FIELDS_MAX / 2) {
        ledger->is_sure = FALSE;
        return;
    }
    /* The MTA has eaten a space where nobody asked for it. */
    value = g_strconcat(ledger->leading_space ? "" : " ", header.value, NULL);
    model_arrive(&ledger->direct, header.name, value);
    model_arrive(&ledger->behind, header.name, value);
}

/* --- a child --- */

static void
forget(LedgerChild *child)
{
    g_ptr_array_set_size(child->fields, 0);
    g_byte_array_set_size(child->body, 0);
    g_byte_array_set_size(child->edits, 0);
    child->has_skipped = FALSE;
}

static void
check_fields(Ledger *ledger, const LedgerChild *child, gboolean leading_space)
{
    guint n = 0;

    for (guint i = 0; i < ledger->direct.n; i++) {
        const char *value = model_shown(&ledger->direct, i, leading_space);
        g_autofree char *expected = NULL;

        if (!value)
            continue;
        expected = g_strconcat(ledger->direct.fields[i].name, ":", value, NULL);
        g_assert_cmpuint(n, <, child->fields->len);
        g_assert_cmpstr(child->fields->pdata[n], ==, expected);
        n++;
    }
    g_assert_cmpuint(n, ==, child->fields->len);
}

static void
check_end(Ledger *ledger, LedgerChild *child, guint32 steps)
{
    if (!(steps & SMFIP_NOHDRS))
        check_fields(ledger, child, (steps & SMFIP_HDR_LEADSPC) != 0);
    if (!(steps & SMFIP_NOBODY) && !child->has_skipped)
        g_assert_cmpmem(child->body->data, child->body->len, ledger->body->data, ledger->body->len);
}

void
ledger_child_gets(Ledger *ledger, guint index, guint32 steps, const MilterFrame *frame)
{
    LedgerChild *child = &ledger->children[index];
    MilterHeader header;

    switch (frame->command) {
    case SMFIC_MAIL:
        forget(child);
        break;
    case SMFIC_HEADER:
        g_assert_true(milter_command_parse_header(frame, &header, NULL));
        g_ptr_array_add(child->fields, g_strconcat(header.name, ":", header.value, NULL));
        break;
    case SMFIC_BODY:
        g_byte_array_append(child->body, frame->payload, (guint)frame->size);
        break;
    case SMFIC_BODYEOB:
        /* Also to one that cannot be checked: Sendmail then counts anew. */
        if (!(steps & SMFIP_NOHDRS))
            model_show_begin(&ledger->direct);
        if (ledger->is_sure && !(steps & SMFIP_NOMAIL))
            check_end(ledger, child, steps);
        forget(child);
        break;
    default:
        break;
    }
}

/* As the MTA hands it on: lines end in CRLF, with Postfix the last one, too. */
static void
replace_body(Ledger *ledger, const GByteArray *raw)
{
    g_byte_array_set_size(ledger->body, 0);
    for (guint i = 0; i < raw->len; i++) {
        if (raw->data[i] == '\n' && (i == 0 || raw->data[i - 1] != '\r'))
            g_byte_array_append(ledger->body, (const guint8 *)"\r", 1);
        g_byte_array_append(ledger->body, raw->data + i, 1);
    }
    if (!ledger->direct.is_sendmail && raw->len && raw->data[raw->len - 1] != '\n')
        g_byte_array_append(ledger->body, (const guint8 *)"\r\n", 2);
}

/* The child's edits count now. */
static void
apply(Ledger *ledger, LedgerChild *child, gboolean leading_space)
{
    const guint8 *bytes = child->edits->data;
    gsize left = child->edits->len;
    GByteArray *raw = NULL;
    gboolean is_closed = FALSE;
    MilterFrame frame;
    MilterHeaderEdit edit;

    while (left && milter_frame_peek(bytes, left, G_MAXUINT32, &frame) == MILTER_FRAME_OK) {
        gboolean is_body = frame.command == SMFIR_REPLBODY;

        if (frame.command != SMFIR_PROGRESS &&
            !(milter_reply_action(frame.command) & ledger->actions))
            ledger->is_sure = FALSE;
        /* A second run is an error with Postfix. */
        if (is_body && is_closed)
            ledger->is_sure = FALSE;
        is_closed = is_closed || (raw && !is_body);
        if (is_body) {
            raw = raw ? raw : g_byte_array_new();
            g_byte_array_append(raw, frame.payload, (guint)frame.size);
        } else if (milter_reply_action(frame.command) & (SMFIF_ADDHDRS | SMFIF_CHGHDRS)) {
            g_assert_true(milter_reply_parse_header(&frame, &edit, NULL));
            model_edit(&ledger->direct, frame.command, edit.index, edit.name, edit.value,
                       leading_space);
        }
        bytes += frame.wire_size;
        left -= frame.wire_size;
    }
    if (!raw)
        return;
    if (ledger->body_limit && raw->len > ledger->body_limit)
        ledger->is_sure = FALSE;
    replace_body(ledger, raw);
    g_clear_pointer(&ledger->replaced, g_byte_array_unref);
    ledger->replaced = raw;
}

void
ledger_child_says(Ledger *ledger, guint index, guint32 steps, const MilterFrame *frame)
{
    LedgerChild *child = &ledger->children[index];

    if (!milter_reply_is_final(frame->command)) {
        g_byte_array_append(child->edits, frame->wire, (guint)frame->wire_size);
        return;
    }
    if (ledger->direct.n + 10 > MODEL_FIELDS_MAX)
        ledger->is_sure = FALSE;
    if (ledger->is_sure)
        apply(ledger, child, (steps & SMFIP_HDR_LEADSPC) != 0);
    g_byte_array_set_size(child->edits, 0);
}

/* --- the MTA --- */

static gboolean
is_same_value(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || (!a[strspn(a, " ")] && !b[strspn(b, " ")]);
}

static void
check_result(const Ledger *ledger)
{
    guint j = 0;

    for (guint i = 0; i < ledger->direct.n; i++) {
        if (!ledger->direct.fields[i].value)
            continue;
        while (j < ledger->behind.n && !ledger->behind.fields[j].value)
            j++;
        g_assert_cmpuint(j, <, ledger->behind.n);
        g_assert_cmpstr(ledger->behind.fields[j].name, ==, ledger->direct.fields[i].name);
        g_assert_true(
            is_same_value(ledger->behind.fields[j].value, ledger->direct.fields[i].value));
        j++;
    }
    while (j < ledger->behind.n && !ledger->behind.fields[j].value)
        j++;
    g_assert_cmpuint(j, ==, ledger->behind.n);
    g_assert_cmpint(ledger->got != NULL, ==, ledger->replaced != NULL);
    if (ledger->got)
        g_assert_cmpmem(ledger->got->data, ledger->got->len, ledger->replaced->data,
                        ledger->replaced->len);
}

void
ledger_mta_gets(Ledger *ledger, const MilterFrame *frame)
{
    MilterHeaderEdit edit;

    if (!ledger->is_sure)
        return;
    switch (frame->command) {
    case SMFIR_ADDHEADER:
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
        g_assert_true(milter_reply_parse_header(frame, &edit, NULL));
        model_edit(&ledger->behind, frame->command, edit.index, edit.name, edit.value,
                   ledger->leading_space);
        break;
    case SMFIR_REPLBODY:
        ledger->got = ledger->got ? ledger->got : g_byte_array_new();
        g_byte_array_append(ledger->got, frame->payload, (guint)frame->size);
        break;
    case SMFIR_CONTINUE:
    case SMFIR_ACCEPT:
        check_result(ledger);
        break;
    default:
        break;
    }
}
