/* packet.c - see packet.h */
#include "config.h"
#include "test/support/packet.h"

#include <stdlib.h>
#include <string.h>

#include "libmilter-core/log.h"
#include "libmilter-core/protocol.h"
#include "test/support/step-names.h"

#define SHOWN_MAX 160 /* bytes of a packet in a message */

static const Name commands[] = {
    { "optneg", SMFIC_OPTNEG },   { "macro", SMFIC_MACRO },
    { "connect", SMFIC_CONNECT }, { "helo", SMFIC_HELO },
    { "mail", SMFIC_MAIL },       { "rcpt", SMFIC_RCPT },
    { "data", SMFIC_DATA },       { "header", SMFIC_HEADER },
    { "eoh", SMFIC_EOH },         { "body", SMFIC_BODY },
    { "eom", SMFIC_BODYEOB },     { "unknown", SMFIC_UNKNOWN },
    { "abort", SMFIC_ABORT },     { "quit", SMFIC_QUIT },
    { "quit_nc", SMFIC_QUIT_NC }, { NULL, 0 },
};

static const Name replies[] = {
    { "optneg", SMFIC_OPTNEG },
    { "continue", SMFIR_CONTINUE },
    { "accept", SMFIR_ACCEPT },
    { "reject", SMFIR_REJECT },
    { "tempfail", SMFIR_TEMPFAIL },
    { "discard", SMFIR_DISCARD },
    { "skip", SMFIR_SKIP },
    { "shutdown", SMFIR_SHUTDOWN },
    { "connfail", SMFIR_CONN_FAIL },
    { "progress", SMFIR_PROGRESS },
    { "code", SMFIR_REPLYCODE },
    { "addheader", SMFIR_ADDHEADER },
    { "insheader", SMFIR_INSHEADER },
    { "chgheader", SMFIR_CHGHEADER },
    { "addrcpt", SMFIR_ADDRCPT },
    { "addrcpt_par", SMFIR_ADDRCPT_PAR },
    { "delrcpt", SMFIR_DELRCPT },
    { "chgfrom", SMFIR_CHGFROM },
    { "replbody", SMFIR_REPLBODY },
    { "quarantine", SMFIR_QUARANTINE },
    { NULL, 0 },
};

static const Name stages[] = {
    { "connect", SMFIM_CONNECT }, { "helo", SMFIM_HELO },
    { "mail", SMFIM_ENVFROM },    { "rcpt", SMFIM_ENVRCPT },
    { "data", SMFIM_DATA },       { "eom", SMFIM_EOM },
    { "eoh", SMFIM_EOH },         { NULL, 0 },
};

static const Name actions[] = {
    { "ADDHDRS", SMFIF_ADDHDRS },       { "CHGBODY", SMFIF_CHGBODY },
    { "ADDRCPT", SMFIF_ADDRCPT },       { "DELRCPT", SMFIF_DELRCPT },
    { "CHGHDRS", SMFIF_CHGHDRS },       { "QUARANTINE", SMFIF_QUARANTINE },
    { "CHGFROM", SMFIF_CHGFROM },       { "ADDRCPT_PAR", SMFIF_ADDRCPT_PAR },
    { "SETSYMLIST", SMFIF_SETSYMLIST }, { NULL, 0 },
};

static const Name *
find_name(const Name *names, const char *name)
{
    for (; names->name; names++)
        if (strcmp(names->name, name) == 0)
            return names;
    return NULL;
}

gboolean
packet_bits(const char *text, gboolean is_step, guint32 *bits)
{
    g_auto(GStrv) parts = g_strsplit(text, "|", -1);
    guint32 sum = 0;

    for (char **part = parts; *part; part++) {
        const Name *name = find_name(is_step ? step_names : actions, *part);
        char *end;

        if (name) {
            sum |= name->value;
            continue;
        }
        sum |= (guint32)strtoul(*part, &end, 0);
        if (*end || end == *part)
            return FALSE;
    }
    *bits = sum;
    return TRUE;
}

/* --- words --- */

static gboolean
read_escape(const char **at, GString *word)
{
    const char *p = *at;

    switch (*p) {
    case 'r':
        g_string_append_c(word, '\r');
        break;
    case 'n':
        g_string_append_c(word, '\n');
        break;
    case 't':
        g_string_append_c(word, '\t');
        break;
    case '0':
        g_string_append_c(word, '\0');
        break;
    case 'x':
        if (!g_ascii_isxdigit(p[1]) || !g_ascii_isxdigit(p[2]))
            return FALSE;
        g_string_append_c(word,
                          (char)(g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2])));
        p += 2;
        break;
    case '\0':
        return FALSE;
    default:
        g_string_append_c(word, *p);
    }
    *at = p + 1;
    return TRUE;
}

/* A quoted part and its repetition; *AT is behind the opening quote. */
static gboolean
read_quoted(const char **at, GString *word)
{
    gsize start = word->len;
    const char *p = *at;

    while (*p != '"') {
        if (*p == '\0')
            return FALSE;
        if (*p == '\\') {
            p++;
            if (!read_escape(&p, word))
                return FALSE;
        } else {
            g_string_append_c(word, *p++);
        }
    }
    p++;
    if (p[0] == '*' && g_ascii_isdigit(p[1])) {
        char *end;
        gulong times = strtoul(p + 1, &end, 10);
        gsize size = word->len - start;
        g_autofree char *part = g_memdup2(word->str + start, MAX(size, 1));

        g_string_truncate(word, start);
        for (gulong i = 0; i < times; i++)
            g_string_append_len(word, part, (gssize)size);
        p = end;
    }
    *at = p;
    return TRUE;
}

static void
free_word(gpointer word)
{
    g_string_free(word, TRUE);
}

GPtrArray *
packet_words(const char *line, char **message)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(free_word);
    const char *p = line;

    for (;;) {
        GString *word;

        while (*p == ' ' || *p == '\t')
            p++;
        if (*p == '\0' || *p == '#')
            return words;
        word = g_string_new(NULL);
        g_ptr_array_add(words, word);
        if (*p == ';') {
            g_string_append_c(word, *p++);
            continue;
        }
        while (*p && !strchr(" \t;", *p)) {
            if (*p != '"') {
                g_string_append_c(word, *p++);
                continue;
            }
            p++;
            if (!read_quoted(&p, word)) {
                *message = g_strdup("a quoted part does not end, or has a bad escape");
                g_ptr_array_unref(words);
                return NULL;
            }
        }
    }
}

/* --- building --- */

static void
append_packet(GByteArray *wire, guint8 command, const GString *payload)
{
    guint8 head[MILTER_FRAME_HEAD];

    milter_frame_head(head, command, payload->len);
    g_byte_array_append(wire, head, sizeof(head));
    g_byte_array_append(wire, (const guint8 *)payload->str, payload->len);
}

static void
put_word32(GString *payload, guint32 word)
{
    guint32 wire = GUINT32_TO_BE(word);

    g_string_append_len(payload, (const char *)&wire, sizeof(wire));
}

static void
put_string(GString *payload, const GString *word)
{
    g_string_append_len(payload, word->str, (gssize)word->len + 1);
}

static void
put_strings(GString *payload, GString *const *words, guint n)
{
    for (guint i = 0; i < n; i++)
        put_string(payload, words[i]);
}

static void
put_bytes(GString *payload, GString *const *words, guint n)
{
    for (guint i = 0; i < n; i++)
        g_string_append_len(payload, words[i]->str, (gssize)words[i]->len);
}

/* "name=value" as two strings. */
static gboolean
put_pair(GString *payload, const GString *word)
{
    const char *equals = memchr(word->str, '=', word->len);
    gsize start = payload->len;

    if (!equals)
        return FALSE;
    put_string(payload, word);
    payload->str[start + (gsize)(equals - word->str)] = '\0';
    return TRUE;
}

static gboolean
build_optneg(GString *const *words, guint n, GString *payload)
{
    guint32 version = 6, action_bits = 0, step_bits = 0;
    GString *lists = g_string_new(NULL);
    gboolean is_good = TRUE;

    for (guint i = 0; i < n && is_good; i++) {
        const char *word = words[i]->str;
        const char *equals = strchr(word, '=');
        g_autofree char *key = equals ? g_strndup(word, (gsize)(equals - word)) : NULL;
        const Name *stage;

        if (!equals)
            is_good = FALSE;
        else if (strcmp(key, "version") == 0)
            version = (guint32)strtoul(equals + 1, NULL, 0);
        else if (strcmp(key, "actions") == 0)
            is_good = packet_bits(equals + 1, FALSE, &action_bits);
        else if (strcmp(key, "steps") == 0)
            is_good = packet_bits(equals + 1, TRUE, &step_bits);
        else if ((stage = find_name(stages, key))) {
            put_word32(lists, stage->value);
            g_string_append_len(lists, equals + 1, (gssize)strlen(equals + 1) + 1);
        } else
            is_good = FALSE;
    }
    put_word32(payload, version);
    put_word32(payload, action_bits);
    put_word32(payload, step_bits);
    g_string_append_len(payload, lists->str, (gssize)lists->len);
    g_string_free(lists, TRUE);
    return is_good;
}

static gboolean
build_connect(GString *const *words, guint n, GString *payload)
{
    guint16 port;

    if (n != 2 && n != 4)
        return FALSE;
    put_string(payload, words[0]);
    g_string_append_c(payload, words[1]->str[0]);
    if (n == 2)
        return TRUE;
    port = GUINT16_TO_BE((guint16)atoi(words[2]->str));
    g_string_append_len(payload, (const char *)&port, sizeof(port));
    put_string(payload, words[3]);
    return TRUE;
}

static gboolean
build_pairs(GString *const *words, guint n, GString *payload)
{
    for (guint i = 0; i < n; i++)
        if (!put_pair(payload, words[i]))
            return FALSE;
    return TRUE;
}

static gboolean
build_command(guint8 command, GString *const *words, guint n, GString *payload)
{
    const Name *other;

    switch (command) {
    case SMFIC_OPTNEG:
        return build_optneg(words, n, payload);
    case SMFIC_MACRO:
        other = n ? find_name(commands, words[0]->str) : NULL;
        if (!other)
            return FALSE;
        g_string_append_c(payload, (char)other->value);
        return build_pairs(words + 1, n - 1, payload);
    case SMFIC_CONNECT:
        return build_connect(words, n, payload);
    case SMFIC_HEADER:
        return n == 1 && build_pairs(words, n, payload);
    case SMFIC_BODY:
    case SMFIC_BODYEOB:
        put_bytes(payload, words, n);
        return TRUE;
    default:
        put_strings(payload, words, n);
        return TRUE;
    }
}

static gboolean
build_reply(guint8 reply, GString *const *words, guint n, GString *payload)
{
    switch (reply) {
    case SMFIC_OPTNEG:
        return build_optneg(words, n, payload);
    case SMFIR_ADDHEADER:
        return n == 1 && build_pairs(words, n, payload);
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
        if (n != 2)
            return FALSE;
        put_word32(payload, (guint32)strtol(words[0]->str, NULL, 0));
        return build_pairs(words + 1, 1, payload);
    case SMFIR_REPLBODY:
        put_bytes(payload, words, n);
        return TRUE;
    default:
        put_strings(payload, words, n);
        return TRUE;
    }
}

gboolean
packet_build(PacketKind kind, GString *const *words, guint n, GByteArray *wire, char **message)
{
    g_autoptr(GString) payload = g_string_new(NULL);
    const Name *name;
    gboolean is_good;

    if (strcmp(words[0]->str, "raw") == 0) {
        for (guint i = 1; i < n; i++)
            g_byte_array_append(wire, (const guint8 *)words[i]->str, words[i]->len);
        return TRUE;
    }
    if (strcmp(words[0]->str, "packet") == 0 && n >= 2 && words[1]->len == 1) {
        put_bytes(payload, words + 2, n - 2);
        append_packet(wire, (guint8)words[1]->str[0], payload);
        return TRUE;
    }
    name = find_name(kind == PACKET_COMMAND ? commands : replies, words[0]->str);
    if (!name) {
        *message = g_strdup_printf("\"%s\" is no packet", words[0]->str);
        return FALSE;
    }
    is_good = kind == PACKET_COMMAND ? build_command((guint8)name->value, words + 1, n - 1, payload)
                                     : build_reply((guint8)name->value, words + 1, n - 1, payload);
    if (!is_good) {
        *message = g_strdup_printf("\"%s\" has the wrong words", words[0]->str);
        return FALSE;
    }
    append_packet(wire, (guint8)name->value, payload);
    return TRUE;
}

GByteArray *
packet_line(PacketKind kind, const char *line)
{
    GByteArray *wire = g_byte_array_new();
    char *message = NULL;
    GPtrArray *words = packet_words(line, &message);
    guint start = 0;

    if (!words)
        g_error("%s: %s", line, message);
    for (guint i = 0; i <= words->len; i++) {
        GString **all = (GString **)words->pdata;

        if (i < words->len && strcmp(all[i]->str, ";") != 0)
            continue;
        if (i > start && !packet_build(kind, all + start, i - start, wire, &message))
            g_error("%s: %s", line, message);
        start = i + 1;
    }
    g_ptr_array_unref(words);
    return wire;
}

/* --- showing --- */

static char *
optneg_text(const MilterFrame *frame)
{
    guint32 words[3];
    g_autofree char *rest = NULL;

    if (frame->size < sizeof(words))
        return g_strdup("optneg (short)");
    memcpy(words, frame->payload, sizeof(words));
    rest = milter_log_escape(frame->payload + sizeof(words), frame->size - sizeof(words),
                             4 * SHOWN_MAX);
    return g_strdup_printf("optneg version=%u actions=0x%x steps=0x%x lists %s",
                           GUINT32_FROM_BE(words[0]), GUINT32_FROM_BE(words[1]),
                           GUINT32_FROM_BE(words[2]), rest);
}

char *
packet_text(PacketKind kind, const void *wire, gsize size)
{
    const Name *name = kind == PACKET_COMMAND ? commands : replies;
    g_autofree char *payload = NULL;
    MilterFrame frame;

    if (milter_frame_peek(wire, size, G_MAXUINT32, &frame) != MILTER_FRAME_OK) {
        payload = milter_log_escape(wire, size, SHOWN_MAX);
        return g_strdup_printf("raw %s", payload);
    }
    if (frame.command == SMFIC_OPTNEG)
        return optneg_text(&frame);
    while (name->name && name->value != frame.command)
        name++;
    payload = milter_log_escape(frame.payload, frame.size, SHOWN_MAX);
    if (!name->name)
        return g_strdup_printf("packet 0x%02x %s", frame.command, payload);
    if (frame.size == 0)
        return g_strdup(name->name);
    return g_strdup_printf("%s %s (%" G_GSIZE_FORMAT " bytes)", name->name, payload, frame.size);
}
