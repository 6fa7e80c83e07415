/* script.c - what a scripted milter does at which step */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Script {
    GPtrArray *rules;
};

static void
free_string(gpointer string)
{
    g_string_free(string, TRUE);
}

static void
free_rule(gpointer data)
{
    Rule *rule = data;

    g_free(rule->step);
    g_free(rule->name);
    g_free(rule->arg);
    g_free(rule->action);
    g_ptr_array_unref(rule->args);
    g_free(rule);
}

/* Read one character with its escape; *p stands behind it afterwards. */
static char
unescape(const char **p)
{
    char c = *(*p)++;
    char hex[3] = { 0 };

    if (c != '\\' || **p == '\0')
        return c;
    c = *(*p)++;
    switch (c) {
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'x':
        if (!g_ascii_isxdigit((*p)[0]) || !g_ascii_isxdigit((*p)[1]))
            return c;
        memcpy(hex, *p, 2);
        *p += 2;
        return (char)strtoul(hex, NULL, 16);
    default:
        return c;
    }
}

/* Cut a line into words. */
static GPtrArray *
split(const char *line)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(free_string);
    const char *p = line;

    for (;;) {
        GString *word;
        gboolean quoted = FALSE;

        while (*p == ' ' || *p == '\t')
            p++;
        if (*p == '\0' || *p == '\n')
            return words;
        word = g_string_new(NULL);
        for (; *p != '\0' && *p != '\n' && (quoted || (*p != ' ' && *p != '\t'));) {
            if (*p == '"') {
                quoted = !quoted;
                p++;
                continue;
            }
            g_string_append_c(word, unescape(&p));
        }
        g_ptr_array_add(words, word);
    }
}

static const char *
word_at(const GPtrArray *words, guint i)
{
    return i < words->len ? ((const GString *)g_ptr_array_index(words, i))->str : NULL;
}

/* Take a condition ("nth=2"); FALSE when the word is none. */
static gboolean
take_condition(Rule *rule, const char *word)
{
    if (g_str_has_prefix(word, "msg="))
        rule->msg = (guint)strtoul(word + 4, NULL, 10);
    else if (g_str_has_prefix(word, "nth="))
        rule->nth = (guint)strtoul(word + 4, NULL, 10);
    else if (g_str_has_prefix(word, "name="))
        rule->name = g_strdup(word + 5);
    else if (g_str_has_prefix(word, "arg="))
        rule->arg = g_strdup(word + 4);
    else
        return FALSE;
    return TRUE;
}

static Rule *
parse_rule(const char *line)
{
    GPtrArray *words = split(line);
    Rule *rule;
    guint i = 1;

    if (words->len == 0 || word_at(words, 0)[0] == '#') {
        g_ptr_array_unref(words);
        return NULL;
    }
    rule = g_new0(Rule, 1);
    rule->args = g_ptr_array_new_with_free_func(free_string);
    rule->step = g_strdup(word_at(words, 0));
    while (i < words->len && take_condition(rule, word_at(words, i)))
        i++;
    if (i >= words->len) {
        fprintf(stderr, "scripted: no action in the line: %s\n", line);
        exit(2);
    }
    rule->action = g_strdup(word_at(words, i++));
    for (; i < words->len; i++) {
        const GString *word = g_ptr_array_index(words, i);
        g_ptr_array_add(rule->args, g_string_new_len(word->str, (gssize)word->len));
    }
    g_ptr_array_unref(words);
    return rule;
}

Script *
script_load(const char *path)
{
    Script *script = g_new0(Script, 1);
    char *text = NULL;

    script->rules = g_ptr_array_new_with_free_func(free_rule);
    if (g_file_get_contents(path, &text, NULL, NULL)) {
        char **lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line != NULL; line++) {
            Rule *rule = parse_rule(*line);
            if (rule != NULL)
                g_ptr_array_add(script->rules, rule);
        }
        g_strfreev(lines);
    }
    g_free(text);
    return script;
}

void
script_free(Script **script_p)
{
    Script *script = g_steal_pointer(script_p);

    if (script == NULL)
        return;
    g_ptr_array_unref(script->rules);
    g_free(script);
}

static gboolean
applies(const Rule *rule, const char *step, guint msg, guint nth, const char *arg)
{
    if (strcmp(rule->step, step) != 0)
        return FALSE;
    if (rule->msg != 0 && rule->msg != msg)
        return FALSE;
    if (rule->nth != 0 && rule->nth != nth)
        return FALSE;
    if (rule->name != NULL && (arg == NULL || g_ascii_strcasecmp(rule->name, arg) != 0))
        return FALSE;
    return rule->arg == NULL || (arg != NULL && strcmp(rule->arg, arg) == 0);
}

const Rule *
script_next(const Script *script, guint *position, const char *step, guint msg, guint nth,
            const char *arg)
{
    while (*position < script->rules->len) {
        const Rule *rule = g_ptr_array_index(script->rules, (*position)++);
        if (applies(rule, step, msg, nth, arg))
            return rule;
    }
    return NULL;
}

const char *
rule_text(const Rule *rule, guint i)
{
    const char *text = word_at(rule->args, i);

    return text != NULL ? text : "";
}

guint32
rule_number(const Rule *rule, guint i)
{
    return (guint32)strtoul(rule_text(rule, i), NULL, 0);
}
