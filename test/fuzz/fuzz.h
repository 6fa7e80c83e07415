/* fuzz.h - what every fuzz target shares
 *
 * A target defines LLVMFuzzerTestOneInput() and nothing else; a broken invariant is a
 * failed g_assert.  It must not keep state from one input to the next. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <glib.h>
#include <string.h>

/* Called by libFuzzer, or by replay-main.c, with one input.  Always returns 0. */
int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* An input of which every byte decides something; for targets that make up what happens. */
typedef struct {
    const guint8 *data; /* what is left of it, borrowed */
    gsize left;
} FuzzInput;

/* A decision: 0 to N - 1, 0 when the input has ended. */
static inline guint
fuzz_next(FuzzInput *input, guint n)
{
    if (!input->left)
        return 0;
    input->left--;
    return *input->data++ % n;
}

/* Whether the SIZE bytes at VIEW are all inside those at OUTER. */
static inline gboolean
fuzz_is_inside(const void *view, gsize size, const void *outer, gsize outer_size)
{
    const char *v = view;
    const char *o = outer;

    return v >= o && size <= outer_size && (gsize)(v - o) <= outer_size - size;
}

/* Whether a string and its NUL are inside. */
static inline gboolean
fuzz_is_string_inside(const char *string, const void *outer, gsize outer_size)
{
    const char *o = outer;

    return string >= o && string < o + outer_size &&
           memchr(string, '\0', (gsize)(o + outer_size - string)) != NULL;
}

#endif
