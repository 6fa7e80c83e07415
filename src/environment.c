/* environment.c - see environment.h */
#include "config.h"
#include "src/environment.h"

#include <string.h>

#include "libmilter-core/log.h"
#include "src/logfile.h"
#include "src/settings-table.h"

typedef struct {
    const char *name;
    guint bits;
} Word;

static const char *
value_of(const char *variable)
{
    const char *value = g_getenv(variable);

    return value && *value ? value : NULL;
}

static gboolean
find_word(const Word *words, const char *text, guint *bits)
{
    for (; words->name; words++) {
        if (g_ascii_strcasecmp(words->name, text) == 0) {
            *bits |= words->bits;
            return TRUE;
        }
    }
    return FALSE;
}

/* The words of VARIABLE together; *BITS stays when it is not set. */
static gboolean
take_words(const char *variable, const Word *words, guint *bits, GError **error)
{
    const char *value = value_of(variable);
    g_auto(GStrv) given = value ? g_strsplit_set(value, "|,: ", -1) : NULL;
    guint all = 0;

    if (!value)
        return TRUE;
    for (char **text = given; *text; text++) {
        GString *known;

        if (!**text || find_word(words, *text, &all))
            continue;
        known = g_string_new(NULL);
        for (; words->name; words++)
            g_string_append_printf(known, " %s", words->name);
        g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE,
                    "%s: \"%s\" is not made of%s, joined by \"|\"", variable, value, known->str);
        g_string_free(known, TRUE);
        return FALSE;
    }
    *bits = all;
    return TRUE;
}

gboolean
mm_environment_init(GError **error)
{
    static const Word items[] = {
        { "time", MM_LOG_ITEM_TIME },
        { "name", MM_LOG_ITEM_NAME },
        { "pid", MM_LOG_ITEM_PID },
        { "domain", MM_LOG_ITEM_DOMAIN },
        { "level", MM_LOG_ITEM_LEVEL },
        { "all", MM_LOG_ITEM_ALL },
        { "default", MM_LOG_ITEM_ALL },
        { "none", 0 },
        { "location", 0 }, /* of our source: of no use to those who run it */
        { NULL, 0 },
    };
    static const Word colours[] = {
        { "yes", MM_LOG_COLOUR_ALWAYS },       { "true", MM_LOG_COLOUR_ALWAYS },
        { "console", MM_LOG_COLOUR_ALWAYS },   { "auto", MM_LOG_COLOUR_TERMINAL },
        { "default", MM_LOG_COLOUR_TERMINAL }, { "no", MM_LOG_COLOUR_NEVER },
        { "false", MM_LOG_COLOUR_NEVER },      { NULL, 0 },
    };
    static const Word fatal[] = {
        { "fatal-warnings", MILTER_LOG_ERROR | MILTER_LOG_WARNING },
        { "fatal-criticals", MILTER_LOG_ERROR },
        { NULL, 0 },
    };
    MmLogFormat format = { .items = MM_LOG_ITEM_ALL, .syslog_levels = MILTER_LOG_ALL };
    const char *levels = value_of("MILTER_LOG_SYSLOG_LEVEL");
    g_autoptr(GError) wrong = NULL;

    if (!take_words("MILTER_LOG_ITEM", items, &format.items, error) ||
        !take_words("MILTER_LOG_COLORIZE", colours, &format.colour, error) ||
        !take_words("MILTER_DEBUG", fatal, &format.fatal_levels, error))
        return FALSE;
    if (levels && !mm_log_levels_parse(levels, &format.syslog_levels, &wrong)) {
        g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE,
                    "MILTER_LOG_SYSLOG_LEVEL: \"%s\" is not %s", levels, wrong->message);
        return FALSE;
    }
    mm_log_set_format(&format);
    return TRUE;
}

gboolean
mm_environment_apply(MmSettings *settings, GError **error)
{
    static const struct {
        const char *variable, *item;
    } variables[] = {
        { "MILTER_LOG_LEVEL", "level" },
        { "MILTER_LOG_PATH", "path" },
        { "MILTER_LOG_SYSLOG_FACILITY", "syslog_facility" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(variables); i++) {
        const char *value = value_of(variables[i].variable);
        g_autofree char *origin = g_strconcat("environment ", variables[i].variable, NULL);

        if (value && !mm_item_set(mm_item_find(MM_SCOPE_LOG, variables[i].item), settings,
                                  g_variant_new_string(value), origin, error)) {
            g_prefix_error(error, "%s: ", variables[i].variable);
            return FALSE;
        }
    }
    return TRUE;
}
