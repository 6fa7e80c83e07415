/* macros.c - macro sets and name lists */
#include "config.h"

#include "libmilter-core/macros.h"

#include <string.h>

/* What separates names in a list, for both MTAs. */
#define SEPARATORS " ,\t\r\n"

#define STRINGS_MAX (MILTER_PACKET_MAX - 2) /* beside SMFIC_MACRO and the command's byte */

/* One command's set: the strings of the packet as they came, without the command byte. */
typedef struct {
    guint32 size;
    char strings[]; /* name NUL value NUL … */
} Set;

struct _MilterMacros {
    Set *sets[MILTER_N_STEPS]; /* by the command's step; NULL when none is in force */
};

/* A name without its braces. */
typedef struct {
    const char *text;
    gsize size;
} Name;

/* Where to look first: libmilter's order of stages (the latest first), then the commands
 * whose macros libmilter ignores. */
static const MilterStep lookup_order[] = {
    MILTER_STEP_EOM,  MILTER_STEP_EOH,     MILTER_STEP_DATA,    MILTER_STEP_RCPT,
    MILTER_STEP_MAIL, MILTER_STEP_HELO,    MILTER_STEP_CONNECT, MILTER_STEP_HEADER,
    MILTER_STEP_BODY, MILTER_STEP_UNKNOWN,
};
G_STATIC_ASSERT(G_N_ELEMENTS(lookup_order) == MILTER_N_STEPS);

static Name
bare_name(const char *text, gsize size)
{
    if (size >= 2 && text[0] == '{' && text[size - 1] == '}')
        return (Name){ text + 1, size - 2 };
    return (Name){ text, size };
}

static gboolean
name_equal(Name a, Name b)
{
    return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

/* The next name of a list, as written; *LIST moves behind it.  FALSE after the last. */
static gboolean
next_name(const char **list, const char **name, gsize *size)
{
    *name = *list + strspn(*list, SEPARATORS);
    *size = strcspn(*name, SEPARATORS);
    *list = *name + *size;
    return *size > 0;
}

static const char *
find_value(const Set *set, Name wanted)
{
    const char *end = set->strings + set->size;

    for (const char *p = set->strings; p < end;) {
        gsize size = strlen(p);
        const char *value = p + size + 1;

        if (name_equal(bare_name(p, size), wanted))
            return value;
        p = value + strlen(value) + 1;
    }
    return NULL;
}

MilterMacros *
milter_macros_new(void)
{
    return g_new0(MilterMacros, 1);
}

void
milter_macros_free(MilterMacros **macros_p)
{
    MilterMacros *macros = g_steal_pointer(macros_p);

    if (macros == NULL)
        return;
    milter_macros_clear(macros);
    g_free(macros);
}

gboolean
milter_macros_check(const MilterFrame *frame, GError **error)
{
    const guint8 *end = frame->payload + frame->size;
    const char *what = NULL;
    guint n = 0;

    if (frame->size == 0) {
        what = "there is no command byte";
    } else if (frame->size > 1 && end[-1] != '\0') {
        what = "the last string does not end";
    } else {
        for (const guint8 *p = frame->payload + 1; p < end; n++)
            p = (const guint8 *)memchr(p, '\0', (gsize)(end - p)) + 1;
        if (n % 2 != 0)
            what = "the last macro has no value";
    }
    if (what)
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT, "SMFIC_MACRO: %s",
                    what);
    return what == NULL;
}

gboolean
milter_macros_set(MilterMacros *macros, const MilterFrame *frame)
{
    MilterStep step = milter_step_of_command(frame->payload[0]);
    const guint8 *strings = frame->payload + 1;
    gsize size = frame->size - 1;
    Set **place;
    Set *set;

    if (step == MILTER_STEP_NONE)
        return FALSE; /* libmilter ignores macros of other commands, too */
    place = &macros->sets[step];
    if (*place && (*place)->size == size && memcmp((*place)->strings, strings, size) == 0)
        return FALSE;
    if (*place && (*place)->size == size) {
        set = *place;
    } else {
        g_free(*place);
        set = *place = g_malloc(sizeof(Set) + size);
        set->size = (guint32)size;
    }
    memcpy(set->strings, strings, size);
    return TRUE;
}

static void
forget_step(MilterMacros *macros, MilterStep step)
{
    g_clear_pointer(&macros->sets[step], g_free);
}

void
milter_macros_forget(MilterMacros *macros, guint8 command)
{
    MilterStep step = milter_step_of_command(command);

    if (step != MILTER_STEP_NONE)
        forget_step(macros, step);
}

void
milter_macros_end_transaction(MilterMacros *macros)
{
    for (MilterStep step = MILTER_STEP_MAIL; step <= MILTER_STEP_EOM; step++)
        forget_step(macros, step);
}

void
milter_macros_clear(MilterMacros *macros)
{
    for (MilterStep step = 0; step < MILTER_N_STEPS; step++)
        forget_step(macros, step);
}

const char *
milter_macros_get(const MilterMacros *macros, const char *name)
{
    Name wanted = bare_name(name, strlen(name));

    for (guint i = 0; i < G_N_ELEMENTS(lookup_order); i++) {
        const Set *set = macros->sets[lookup_order[i]];
        const char *value = set ? find_value(set, wanted) : NULL;

        if (value)
            return value;
    }
    return NULL;
}

static const Set *
set_of(const MilterMacros *macros, guint8 command)
{
    MilterStep step = milter_step_of_command(command);

    return step == MILTER_STEP_NONE ? NULL : macros->sets[step];
}

const char *
milter_macros_get_at(const MilterMacros *macros, guint8 command, const char *name)
{
    const Set *set = set_of(macros, command);

    return set ? find_value(set, bare_name(name, strlen(name))) : NULL;
}

gboolean
milter_macros_has(const MilterMacros *macros, guint8 command)
{
    return set_of(macros, command) != NULL;
}

/* The strings for LIST.  TO may be NULL: only their size is wanted then.  Names go out as
 * the list spells them, as both MTAs do. */
static gsize
select_macros(const Set *set, const char *list, guint8 *to)
{
    const char *name;
    gsize name_size;
    gsize total = 0;

    for (guint n = 0; n < MILTER_MACRO_NAMES_MAX && next_name(&list, &name, &name_size); n++) {
        const char *value = find_value(set, bare_name(name, name_size));
        gsize value_size = value ? strlen(value) + 1 : 0;

        if (value == NULL || total + name_size + 1 + value_size > STRINGS_MAX)
            continue;
        if (to) {
            memcpy(to + total, name, name_size);
            to[total + name_size] = '\0';
            memcpy(to + total + name_size + 1, value, value_size);
        }
        total += name_size + 1 + value_size;
    }
    return total;
}

gboolean
milter_macros_append_packet(const MilterMacros *macros, guint8 command, const char *list,
                            MilterBuffer *buffer)
{
    const Set *set = set_of(macros, command);
    gsize strings_size;
    guint8 *to;

    if (set == NULL)
        return FALSE;
    strings_size = list ? select_macros(set, list, NULL) : set->size;
    to = milter_buffer_begin_packet(buffer, SMFIC_MACRO, 1 + strings_size);
    *to++ = command;
    if (list)
        select_macros(set, list, to);
    else
        memcpy(to, set->strings, strings_size);
    return TRUE;
}

char *
milter_macro_list_merge(char *list, const char *names, guint *dropped)
{
    GString *merged = g_string_new(list);
    const char *rest = merged->str;
    const char *name;
    gsize size;
    guint n = 0;

    while (next_name(&rest, &name, &size))
        n++;
    while (next_name(&names, &name, &size)) {
        if (milter_macro_list_has(merged->str, name, size))
            continue;
        if (n >= MILTER_MACRO_NAMES_MAX) {
            if (dropped)
                (*dropped)++;
            continue;
        }
        if (merged->len > 0)
            g_string_append_c(merged, ' ');
        g_string_append_len(merged, name, (gssize)size);
        n++;
    }
    g_free(list);
    return g_string_free(merged, FALSE);
}

gboolean
milter_macro_list_has(const char *list, const char *name, gsize name_size)
{
    Name wanted = bare_name(name, name_size);
    const char *other;
    gsize size;

    while (next_name(&list, &other, &size))
        if (name_equal(bare_name(other, size), wanted))
            return TRUE;
    return FALSE;
}
