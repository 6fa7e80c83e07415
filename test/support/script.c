/* script.c - see script.h and test/transcript/README.md */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "test/support/calls.h"
#include "test/support/script-private.h"

const char *
script_cut_name(ScriptCut cut)
{
    static const char *const names[SCRIPT_N_CUTS] = {
        "whole", "packets", "batched", "byte-reads", "byte-writes",
    };

    return names[cut];
}

/* --- what happens --- */

/* "a>" or "mta<": whose end and which way; FALSE when the word is no marker. */
static gboolean
parse_marker(Script *script, const GString *word, RigEnd **end, RigChild **child, char *way)
{
    g_autofree char *name = NULL;

    if (word->len < 2 || (word->str[word->len - 1] != '<' && word->str[word->len - 1] != '>'))
        return FALSE;
    name = g_strndup(word->str, word->len - 1);
    *way = word->str[word->len - 1];
    *child = NULL;
    if (strcmp(name, "mta") == 0) {
        *end = &script->rig->mta;
        return TRUE;
    }
    *child = rig_child(script->rig, name);
    if (*child)
        *end = &(*child)->end;
    return *child != NULL;
}

static void
move(Script *script)
{
    if (script->cut != SCRIPT_BATCHED)
        rig_settle(script->rig);
}

static gboolean
send_packet(Script *script, RigEnd *end, RigChild *child, GString *const *words, guint n)
{
    g_autoptr(GByteArray) wire = g_byte_array_new();
    char *message = NULL;

    if (strcmp(words[0]->str, "close") == 0) {
        rig_settle(script->rig);
        rig_close(end);
        move(script);
        return TRUE;
    }
    if (end->fd < 0)
        return script_fail(script, "it has no connection on which to send");
    if (!packet_build(child ? PACKET_REPLY : PACKET_COMMAND, words, n, wire, &message)) {
        (void)script_fail(script, "%s", message);
        g_free(message);
        return FALSE;
    }
    if (child) {
        rig_send(end, wire->data, wire->len);
        return TRUE;
    }
    /* What the MTA must have done before; not for garbage. */
    if (strcmp(words[0]->str, "raw") != 0 && strcmp(words[0]->str, "packet") != 0) {
        rig_settle(script->rig);
        if (!rig_fill(script->rig, wire->data[wire->data[4] == SMFIC_MACRO ? 5 : 4], &message)) {
            (void)script_fail(script, "%s", message);
            g_free(message);
            return FALSE;
        }
    }
    rig_mta_send(script->rig, wire->data, wire->len);
    return TRUE;
}

static char *
text_of(RigChild *child, GBytes *packet)
{
    return packet_text(child ? PACKET_COMMAND : PACKET_REPLY, g_bytes_get_data(packet, NULL),
                       g_bytes_get_size(packet));
}

static gboolean
expect_end(Script *script, RigEnd *end, RigChild *child, const char *what)
{
    GBytes *packet = rig_take(end);

    if (packet) {
        g_autofree char *got = text_of(child, packet);

        g_bytes_unref(packet);
        return script_fail(script, "expected %s\n#   got      %s", what, got);
    }
    if (strcmp(what, "eof") == 0 && !end->is_eof)
        return script_fail(script, "expected eof\n#   got      an open connection");
    if (strcmp(what, "nothing") == 0 && end->is_eof)
        return script_fail(script, "expected nothing\n#   got      eof");
    return TRUE;
}

/* A connection is closed at once: what its socket does not take then (ABORT, QUIT) is lost. */
static gboolean
is_lost_farewell(Script *script, RigEnd *end, GByteArray *wire)
{
    gboolean is_prefix = rig_size(end) < wire->len &&
                         (!rig_size(end) || memcmp(rig_bytes(end), wire->data, rig_size(end)) == 0);

    if (script->cut != SCRIPT_BYTE_WRITES || !end->is_eof || !is_prefix ||
        (wire->data[4] != SMFIC_ABORT && wire->data[4] != SMFIC_QUIT))
        return FALSE;
    rig_drop(end);
    return TRUE;
}

static gboolean
expect_packet(Script *script, RigEnd *end, RigChild *child, GString *const *words, guint n)
{
    PacketKind kind = child ? PACKET_COMMAND : PACKET_REPLY;
    g_autoptr(GByteArray) wire = g_byte_array_new();
    g_autofree char *message = NULL;
    GBytes *packet;
    gboolean is_equal;

    if (strcmp(words[0]->str, "nothing") == 0 || strcmp(words[0]->str, "eof") == 0)
        return expect_end(script, end, child, words[0]->str);
    if (!packet_build(kind, words, n, wire, &message))
        return script_fail(script, "%s", message);
    if (is_lost_farewell(script, end, wire))
        return TRUE;
    packet = rig_take(end);
    is_equal = packet && g_bytes_get_size(packet) == wire->len &&
               memcmp(g_bytes_get_data(packet, NULL), wire->data, wire->len) == 0;
    if (!is_equal) {
        g_autofree char *expected = packet_text(kind, wire->data, wire->len);
        g_autofree char *got =
            packet ? text_of(child, packet) : g_strdup(end->is_eof ? "eof" : "nothing");

        (void)script_fail(script, "expected %s\n#   got      %s", expected, got);
    }
    if (is_equal && wire->data[4] == SMFIC_OPTNEG && !child) {
        MilterFrame frame;

        milter_option_clear(&script->rig->agreed);
        if (milter_frame_peek(wire->data, wire->len, G_MAXUINT32, &frame) == MILTER_FRAME_OK)
            (void)milter_option_parse(&frame, &script->rig->agreed, NULL);
    }
    g_clear_pointer(&packet, g_bytes_unref);
    return is_equal;
}

static gboolean
run_packet(Script *script, RigEnd *end, RigChild *child, char way, GString *const *words, guint n)
{
    gboolean is_send = way == '>';

    if (is_send) {
        gboolean is_good = send_packet(script, end, child, words, n);

        if (script->cut == SCRIPT_PACKETS)
            rig_settle(script->rig);
        return is_good;
    }
    rig_settle(script->rig);
    return expect_packet(script, end, child, words, n);
}

/* "MARKER packet; packet MARKER packet …" */
static gboolean
run_exchange(Script *script, GPtrArray *words)
{
    RigEnd *end = NULL;
    RigChild *child = NULL;
    GString **all = (GString **)words->pdata;
    char way = 0;
    guint i = 0;

    while (i < words->len) {
        guint start;

        if (parse_marker(script, all[i], &end, &child, &way)) {
            move(script);
            i++;
            continue;
        }
        if (!end)
            return script_fail(script, "\"%s\" is neither a setting nor MTA, child or order",
                               all[i]->str);
        start = i;
        while (i < words->len && strcmp(all[i]->str, ";") != 0) {
            RigEnd *other_end;
            RigChild *other_child;
            char other_way;

            if (i > start && parse_marker(script, all[i], &other_end, &other_child, &other_way))
                break;
            i++;
        }
        if (i == start || !run_packet(script, end, child, way, all + start, i - start))
            return script_fail(script, "an empty packet");
        if (i < words->len && strcmp(all[i]->str, ";") == 0)
            i++;
    }
    move(script);
    return TRUE;
}

static gboolean
run_log(Script *script, GPtrArray *words)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    GString **all = (GString **)words->pdata;

    rig_settle(script->rig);
    for (guint i = 2; i < words->len; i++)
        g_ptr_array_add(parts, all[i]->str);
    if (words->len >= 2 &&
        rig_take_log(script->rig, all[1]->str, (const char *const *)parts->pdata, parts->len))
        return TRUE;
    for (guint i = 0; i < script->rig->log->len; i++)
        g_printerr("# logged: %s\n", (char *)script->rig->log->pdata[i]);
    return script_fail(script, "no such line was logged");
}

static gboolean
for_children(Script *script, GPtrArray *words, void (*func)(RigChild *child))
{
    GString **all = (GString **)words->pdata;

    rig_settle(script->rig);
    for (guint i = 1; i < words->len; i++) {
        RigChild *child = rig_child(script->rig, all[i]->str);

        if (!child)
            return script_fail(script, "there is no child %s", all[i]->str);
        func(child);
    }
    rig_settle(script->rig);
    return TRUE;
}

static void
make_auto(RigChild *child)
{
    child->is_auto = TRUE;
}

static void
make_manual(RigChild *child)
{
    child->is_auto = FALSE;
}

static gboolean
run_event(Script *script, GPtrArray *words)
{
    GString **all = (GString **)words->pdata;
    const char *first = all[0]->str;

    if (strcmp(first, "time") == 0 && words->len == 2) {
        rig_pass(script->rig, g_ascii_strtod(all[1]->str, NULL));
        return TRUE;
    }
    if (strcmp(first, "log") == 0)
        return run_log(script, words);
    if (strcmp(first, "auto") == 0)
        return for_children(script, words, make_auto);
    if (strcmp(first, "manual") == 0)
        return for_children(script, words, make_manual);
    if (strcmp(first, "up") == 0)
        return for_children(script, words, rig_listen);
    if (strcmp(first, "down") == 0)
        return for_children(script, words, rig_unlisten);
    if (strcmp(first, "session") == 0) {
        rig_settle(script->rig);
        if (script->rig->relay)
            return script_fail(script, "the last session has not ended");
        rig_open_session(script->rig);
        return TRUE;
    }
    return run_exchange(script, words);
}

static void
start(Script *script)
{
    script->is_started = TRUE;
    if (script->is_uncut) {
        calls.read_max = 0;
        calls.write_max = 0;
    }
    rig_start(script->rig);
}

static gboolean
run_line(Script *script, const char *text)
{
    g_autofree char *message = NULL;
    g_autoptr(GPtrArray) words = packet_words(text, &message);
    gboolean is_setting = FALSE;

    if (!words)
        return script_fail(script, "%s", message);
    if (words->len == 0)
        return TRUE;
    if (!script->is_started && !script_run_setting(script, words, &is_setting))
        return FALSE;
    if (is_setting)
        return TRUE;
    if (!script->is_started)
        start(script);
    return run_event(script, words);
}

/* Nobody may have got anything that the transcript does not speak of. */
static void
check_nothing_is_left(Script *script)
{
    Rig *rig = script->rig;
    g_autoptr(GByteArray) quit = packet_line(PACKET_COMMAND, "quit");

    rig_settle(rig);
    if (rig_size(&rig->mta))
        (void)expect_end(script, &rig->mta, NULL, "nothing more at the MTA");
    for (guint i = 0; i < rig->children->len && !script->message; i++) {
        RigChild *child = rig->children->pdata[i];
        g_autofree char *what = g_strdup_printf("nothing more at %s", child->config->name);

        if (is_lost_farewell(script, &child->end, quit))
            continue;
        if (rig_size(&child->end))
            (void)expect_end(script, &child->end, child, what);
    }
    while (rig->log->len && g_str_has_prefix(rig->log->pdata[0], "info "))
        g_ptr_array_remove_index(rig->log, 0);
    if (rig->log->len)
        (void)script_fail(script, "a log line that was not expected: %s",
                          (char *)rig->log->pdata[0]);
}

char *
script_run(const char *path, ScriptCut cut)
{
    Script script = { .path = path, .cut = cut };
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    guint n_fds = rig_count_fds();
    char *message;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup_printf("%s: cannot be read", path);
    calls_install();
    calls.read_max = cut == SCRIPT_BYTE_READS ? 1 : 0;
    calls.write_max = cut == SCRIPT_BYTE_WRITES ? 1 : 0;
    script.rig = rig_new(MM_MTA_POSTFIX);
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && !script.message; line++) {
        script.line++;
        (void)run_line(&script, *line);
    }
    if (!script.is_started && !script.message)
        (void)script_fail(&script, "nothing happens in it");
    if (!script.message)
        check_nothing_is_left(&script);
    message = rig_free(&script.rig);
    if (message)
        (void)script_fail(&script, "at the end: %s", message);
    g_free(message);
    calls_remove();
    if (rig_count_fds() != n_fds)
        (void)script_fail(&script, "at the end: %u descriptors were open before, now %u", n_fds,
                          rig_count_fds());
    return script.message;
}
