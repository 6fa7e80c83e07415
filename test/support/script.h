/* script.h - run a transcript
 *
 * A transcript is a text file: settings first, then what happens, line by line.  See
 * test/transcript/README.md. */
#ifndef TEST_SCRIPT_H
#define TEST_SCRIPT_H

#include <glib.h>

/* How the bytes are cut. */
typedef enum {
    SCRIPT_WHOLE,       /* as written: one write for what stands together */
    SCRIPT_PACKETS,     /* every packet in a write of its own, and time to act on it */
    SCRIPT_BATCHED,     /* all sends up to the next expectation in one write */
    SCRIPT_BYTE_READS,  /* the manager reads one byte at a time */
    SCRIPT_BYTE_WRITES, /* the manager's writes take one byte, and nothing every second time */
    SCRIPT_N_CUTS,
} ScriptCut;

const char *script_cut_name(ScriptCut cut);

/* NULL, or "FILE:LINE: what is wrong"; free with g_free. */
char *script_run(const char *path, ScriptCut cut);

#endif
