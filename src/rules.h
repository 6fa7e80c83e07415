/* rules.h - the language of the configuration, as the daemon sees it
 *
 * One table of functions; the Ruby behind it lives in binding/ruby/ and includes this
 * header, never the other way round.  One process has one interpreter: start() comes
 * first, and all but what says otherwise are for the thread that called it. */
#ifndef MM_RULES_H
#define MM_RULES_H

#include <glib.h>
#include <sys/types.h>

#include "src/settings.h"

G_BEGIN_DECLS

#define MM_RULES_ERROR (mm_rules_error_quark())
GQuark mm_rules_error_quark(void);
typedef enum {
    MM_RULES_ERROR_START,  /* the interpreter does not start */
    MM_RULES_ERROR_RAISED, /* the configuration raised; the message is "FILE:LINE: reason" */
} MmRulesError;

typedef struct {
    /* Start the interpreter. */
    gboolean (*start)(GError **error);

    /* Evaluate CONFIG_DIR/milter-manager.conf into SETTINGS, which outlive the interpreter. */
    gboolean (*load)(const char *config_dir, MmSettings *settings, GError **error);

    /* What the configuration defines besides SETTINGS, as lines for --show-config; the caller's. */
    char *(*dump)(void);

    /* As fork(2), with the interpreter usable in both processes. */
    pid_t (*fork)(GError **error);

    /* Run FUNC, which may block, so that nothing of the interpreter waits for it. */
    void (*outside)(void (*func)(gpointer data), gpointer data);

    /* Be a worker's Ruby thread until WAKE_FD is readable: run what the configuration wants
     * run in each worker. */
    void (*run_worker)(guint worker, int wake_fd);

    /* End the interpreter. */
    void (*stop)(void);
} MmRules;

/* The Ruby of binding/ruby/. */
const MmRules *mm_rules_ruby(void);

G_END_DECLS
#endif
