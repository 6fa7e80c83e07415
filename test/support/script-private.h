/* script-private.h - what script.c and script-settings.c share */
#ifndef TEST_SCRIPT_PRIVATE_H
#define TEST_SCRIPT_PRIVATE_H

#include "test/support/rig.h"
#include "test/support/script.h"

typedef struct {
    Rig *rig;
    ScriptCut cut;
    const char *path;
    guint line;
    gboolean is_started;
    gboolean is_uncut; /* the transcript said "cuts: no" */
    char *message;     /* what is wrong; owned */
} Script;

/* Note what is wrong, with file and line; the first time only.  Returns FALSE. */
gboolean script_fail(Script *script, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A line "WORD: …" or "child NAME: …"; FALSE in *IS_SETTING when it is no such line. */
gboolean script_run_setting(Script *script, GPtrArray *words, gboolean *is_setting);

#endif
