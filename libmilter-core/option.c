/* option.c - the packet of the negotiation */
#include "config.h"

#include "libmilter-core/option.h"

#include <string.h>

#define WORD_SIZE 4
#define WORDS_SIZE (3 * WORD_SIZE)

static guint32
word_at(const guint8 *data)
{
    guint32 word;

    memcpy(&word, data, WORD_SIZE);
    return GUINT32_FROM_BE(word);
}

static gboolean
bad_form(GError **error, const char *what)
{
    g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT, "SMFIC_OPTNEG: %s",
                what);
    return FALSE;
}

static gboolean
parse_lists(const guint8 *data, const guint8 *end, MilterOption *option, GError **error)
{
    while (data != end) {
        const guint8 *nul;
        guint32 stage;

        if (end - data < WORD_SIZE)
            return bad_form(error, "a macro list's stage is cut off");
        stage = word_at(data);
        data += WORD_SIZE;
        if (stage >= MILTER_N_STAGES) {
            g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE,
                        "SMFIC_OPTNEG: a macro list for the unknown stage %u", stage);
            return FALSE;
        }
        nul = data < end ? memchr(data, '\0', (gsize)(end - data)) : NULL;
        if (nul == NULL)
            return bad_form(error, "a macro list does not end");
        g_free(option->macros[stage]); /* the last one counts, in both MTAs */
        option->macros[stage] = g_strdup((const char *)data);
        data = nul + 1;
    }
    return TRUE;
}

gboolean
milter_option_parse(const MilterFrame *frame, MilterOption *result, GError **error)
{
    MilterOption option = { 0 };

    if (frame->size < WORDS_SIZE)
        return bad_form(error, "the packet is too short");
    option.version = word_at(frame->payload);
    option.actions = word_at(frame->payload + WORD_SIZE);
    option.steps = word_at(frame->payload + 2 * WORD_SIZE);
    if (option.version < MILTER_VERSION_MIN) {
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE,
                    "SMFIC_OPTNEG: protocol version %u is older than %d", option.version,
                    MILTER_VERSION_MIN);
        return FALSE;
    }
    if (!parse_lists(frame->payload + WORDS_SIZE, frame->payload + frame->size, &option, error)) {
        milter_option_clear(&option);
        return FALSE;
    }
    *result = option;
    return TRUE;
}

static guint8 *
put_word(guint8 *to, guint32 word)
{
    guint32 wire = GUINT32_TO_BE(word);

    memcpy(to, &wire, WORD_SIZE);
    return to + WORD_SIZE;
}

void
milter_option_build(MilterBuffer *buffer, const MilterOption *option)
{
    gboolean has_lists = option->version >= 6;
    gsize size = WORDS_SIZE;
    guint8 *to;

    for (guint i = 0; has_lists && i < MILTER_N_STAGES; i++)
        if (option->macros[i])
            size += WORD_SIZE + strlen(option->macros[i]) + 1;
    to = milter_buffer_begin_packet(buffer, SMFIC_OPTNEG, size);
    to = put_word(to, option->version);
    to = put_word(to, option->actions);
    to = put_word(to, option->steps);
    for (guint i = 0; has_lists && i < MILTER_N_STAGES; i++) {
        if (option->macros[i] == NULL)
            continue;
        to = put_word(to, i);
        memcpy(to, option->macros[i], strlen(option->macros[i]) + 1);
        to += strlen(option->macros[i]) + 1;
    }
}

gboolean
milter_option_check_answer(const MilterOption *offer, const MilterOption *answer, GError **error)
{
    guint32 actions = answer->actions & ~offer->actions;
    guint32 steps = answer->steps & ~offer->steps;

    if (answer->version > offer->version) {
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE,
                    "SMFIC_OPTNEG: the answer has protocol version %u, offered was %u",
                    answer->version, offer->version);
        return FALSE;
    }
    if (actions) {
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE,
                    "SMFIC_OPTNEG: the answer asks for actions 0x%x, which were not offered",
                    actions);
        return FALSE;
    }
    if (steps) {
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE,
                    "SMFIC_OPTNEG: the answer asks for steps 0x%x, which were not offered", steps);
        return FALSE;
    }
    return TRUE;
}

gboolean
milter_option_wants(const MilterOption *option, MilterStep step)
{
    return option->version >= milter_step_version(step) &&
           (option->steps & milter_step_no_bit(step)) == 0;
}

void
milter_option_copy(MilterOption *to, const MilterOption *from)
{
    MilterOption copy = *from;

    for (guint i = 0; i < MILTER_N_STAGES; i++)
        copy.macros[i] = g_strdup(from->macros[i]);
    milter_option_clear(to);
    *to = copy;
}

void
milter_option_clear(MilterOption *option)
{
    for (guint i = 0; i < MILTER_N_STAGES; i++)
        g_free(option->macros[i]);
    *option = (MilterOption){ 0 };
}
