/* child.h - a milter in the configuration
 *
 * Plain data, filled while the configuration loads and constant from then on. */
#ifndef MM_CHILD_H
#define MM_CHILD_H

#include <glib.h>

#include "libmilter-core/endpoint.h"
#include "libmilter-core/protocol.h"
#include "libmilter-server/policy.h"

G_BEGIN_DECLS

/* The MTAs' protocol defaults (10 s, 300 s) less 3 s leeway, as in milter manager 2.x. */
#define MM_CHILD_CONNECTION_TIMEOUT 297.0
#define MM_CHILD_WRITING_TIMEOUT 7.0
#define MM_CHILD_READING_TIMEOUT 7.0
#define MM_CHILD_END_OF_MESSAGE_TIMEOUT 297.0

/* How origins of values begin that detection found, and no operator set. */
#define MM_ORIGIN_DETECTED "detected:"

/* What a condition says of a child at a step; also what it says when it fails
 * (condition.fallback).  In order of severity. */
typedef enum {
    MM_DECISION_APPLY,    /* the child takes part */
    MM_DECISION_STOP,     /* it does not */
    MM_DECISION_TEMPFAIL, /* the step is answered with a temporary failure in its place */
} MmDecision;

typedef struct {
    guint index;              /* position among the configuration's enabled children */
    char *name;               /* as in define_milter; owned */
    char *description;        /* or NULL; owned */
    char *spec;               /* connection_spec; owned */
    MilterEndpoint *endpoint; /* of SPEC, NULL while disabled or not finished; owned */
    gboolean enabled;
    gboolean evaluation_mode; /* verdict and changes are logged and dropped */
    MilterFallback fallback;
    double connection_timeout, writing_timeout, reading_timeout, end_of_message_timeout; /* s */
    char *command;         /* start command, or NULL; owned */
    char *command_options; /* or NULL; owned */
    char *user_name;       /* who runs the command; NULL is root; owned */
    char **applicable_conditions; /* names, or NULL: none; owned */
    guint32 stopper_steps; /* bits 1 << MilterStep: at which its conditions are asked */
    guint8 stopper_fallbacks[MILTER_N_STEPS]; /* MmDecision: severest of their fallbacks */
    const char *origin;    /* "FILE:LINE" of the first define_milter; interned */
    const char **origins;  /* as MmSettings.origins; owned */
} MmChild;

/* A child with all defaults and no connection_spec. */
MmChild *mm_child_new(const char *name);
void mm_child_free(MmChild *child);

/* milter.command with milter.command_options as an argument vector, split as a shell would;
 * NULL with ERROR when a quote is not closed, or nothing is there. */
char **mm_child_command(const MmChild *child, GError **error);

G_END_DECLS
#endif
