/* options.h - the command line */
#ifndef MM_OPTIONS_H
#define MM_OPTIONS_H

#include <glib.h>

#include "src/explain.h"
#include "src/settings.h"

G_BEGIN_DECLS

typedef enum {
    MM_MODE_RUN,
    MM_MODE_CHECK,
    MM_MODE_SHOW_CONFIG,
    MM_MODE_EXPLAIN,
    MM_MODE_DETECT,
    MM_MODE_CONTROL,
    MM_MODE_SHOW_VERSION,
} MmMode;

typedef struct {
    MmMode mode;
    gboolean json;        /* with MM_MODE_DETECT, MM_MODE_EXPLAIN, MM_MODE_CONTROL: for programs */
    char *config_dir;     /* absolute; owned */
    char *start_dir;      /* where we were started: relative paths of settings are below; owned */
    gboolean with_secrets; /* --show-secrets */
    MmExplain explain;    /* what to explain in MM_MODE_EXPLAIN */
    char *control;        /* the request of MM_MODE_CONTROL; owned */
    char *control_spec;   /* where to ask, or NULL: as the configuration says; owned */
    GOptionContext *context; /* while it is being parsed */
    GPtrArray *overrides; /* settings given as options, private; owned */
} MmOptions;

/* Parse; --help prints and exits.  Errors say what to do. */
gboolean mm_options_parse(MmOptions *options, int *argc, char ***argv, GError **error);
void mm_options_clear(MmOptions *options);

/* Put the settings given as options over what the configuration says; their origin is the
 * option's name. */
gboolean mm_options_apply(const MmOptions *options, MmSettings *settings, GError **error);

G_END_DECLS
#endif
