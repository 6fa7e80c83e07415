/* rules.h - the language of the configuration, as the daemon sees it
 *
 * One table of functions; the Ruby behind it lives in binding/ruby/ and includes this
 * header, never the other way round.  One process has one interpreter: start() comes
 * first, and all but what says otherwise are for the thread that called it. */
#ifndef MM_RULES_H
#define MM_RULES_H

#include <glib.h>
#include <sys/types.h>

#include "libmilter-core/protocol.h"
#include "src/settings.h"

G_BEGIN_DECLS

#define MM_RULES_ERROR (mm_rules_error_quark())
GQuark mm_rules_error_quark(void);
typedef enum {
    MM_RULES_ERROR_START,  /* the interpreter does not start */
    MM_RULES_ERROR_RAISED, /* the configuration raised; the message is "FILE:LINE: reason" */
} MmRulesError;

/* One child that a question is about. */
typedef struct {
    guint child;         /* MmChild.index */
    MmDecision decision; /* the answer */
} MmAsked;

/* A macro that a condition set for a child. */
typedef struct {
    guint child; /* MmChild.index */
    char *name;  /* without braces when of one letter; owned */
    char *value; /* owned */
} MmSetMacro;

/* In a child's status, beside its last reply: replies are letters. */
#define MM_STATUS_QUITTED 0x80

/* Among a question's facts: the recipient before was refused, or is to come again in a
 * message of its own. */
#define MM_FACT_RECIPIENT_REFUSED '-'
#define MM_FACT_RECIPIENT_DEFERRED '='

/* What to decide: may these children be shown this step?  Made by the relay's thread, lent
 * to the Ruby thread from ask() until it is handed to the answer function. */
typedef struct _MmQuestion MmQuestion;
struct _MmQuestion {
    guint64 id;          /* never used again */
    guint64 session;     /* what it belongs to; never used again */
    MilterStep step;
    GByteArray *facts;   /* packets of the MTA since the session's last question; owned */
    GByteArray *items;   /* packets of content the child is about to read, or has read since its
                            last question; owned, NULL outside of content */
    GBytes *statuses;    /* by MmChild.index: the last reply but continue, 0 for none; with
                            MM_STATUS_QUITTED, when it takes no part any more; owned */
    double limit;        /* s it may take */
    guint n_sessions;    /* sessions of all workers */
    guint64 seen;        /* bytes of the message that came from the MTA */
    guint n_asked;
    MmAsked *asked;      /* owned */
    GArray *macros;      /* MmSetMacro, the answer's; owned, NULL for none */
    gpointer data;       /* the asker's */
};

/* What to explain: --explain and its options.  All but the first three may be NULL: then the mail
 * tells, or they are as usual. */
typedef struct {
    char *file;   /* "-": standard input; owned, as all here */
    GBytes *mail; /* what is in it */
    gboolean as_json;
    char *client_address; /* IPv4, IPv6, "unix:PATH" or "unknown" */
    char *client_host, *helo, *sender;
    char **recipients;
    char **macros; /* "[STEP:]NAME=VALUE" */
} MmExplain;

typedef void (*MmAnswered)(MmQuestion *question, gpointer data);

/* A client that the configuration's connection checkers look after. */
typedef struct {
    guint session;      /* its number, for log lines */
    GByteArray *facts;  /* the packets of CONNECT and its macros; owned */
    gboolean is_gone;   /* the answer */
} MmCheckedClient;

/* Lent to the Ruby thread as a question is. */
typedef struct {
    guint n_clients;
    MmCheckedClient *clients; /* owned */
} MmClientCheck;

typedef void (*MmChecked)(MmClientCheck *check, gpointer data);

typedef struct {
    /* Start the interpreter. */
    gboolean (*start)(GError **error);

    /* Evaluate CONFIG_DIR/milter-manager.conf into SETTINGS, which outlive the interpreter. */
    gboolean (*load)(const char *config_dir, MmSettings *settings, GError **error);

    /* What the configuration defines besides SETTINGS, as lines for --show-config; the caller's. */
    char *(*dump)(MmSettings *settings, gboolean with_secrets, GError **error);

    /* What --detect prints about SETTINGS, loaded by load(): for people, or as JSON.  N_PROBLEMS
     * is how much of it is to be mended.  To be freed. */
    char *(*detect)(MmSettings *settings, gboolean json, guint *n_problems, GError **error);

    /* As fork(2), with the interpreter usable in both processes. */
    pid_t (*fork)(GError **error);

    /* Run FUNC, which may block, so that nothing of the interpreter waits for it. */
    void (*outside)(void (*func)(gpointer data), gpointer data);

    /* Be a worker's Ruby thread until WAKE_FD is readable: run what the configuration wants
     * run in each worker. */
    void (*run_worker)(guint worker, int wake_fd);

    /* Decisions; from any thread, never waiting.  Answers come by ANSWERED, in the thread of
     * run_worker(); set before that runs.  Every question is answered once, a cancelled one
     * soon.  close_session(): nothing more will be asked for it. */
    void (*set_answered)(MmAnswered answered, gpointer data);
    void (*ask)(MmQuestion *question);
    void (*cancel)(guint64 question);
    void (*close_session)(guint64 session);

    /* The same for connection checkers; one check at a time. */
    void (*set_checked)(MmChecked checked, gpointer data);
    void (*check_clients)(MmClientCheck *check);

    /* manager.maintenance_interval sessions have ended: time for maintenance.  From any
     * thread, never waiting. */
    void (*maintain)(void);

    /* For --explain: trace() before load(); then, in place of run_worker(), ask the conditions
     * about a mail.  Text to print, the caller's. */
    void (*trace)(void);
    char *(*explain)(const MmSettings *settings, const MmExplain *what, GError **error);

    /* End the interpreter.  Threads that do not end with it, because they wait in a library, are
     * not waited for: the process then ends with STATUS. */
    void (*stop)(int status);
} MmRules;

/* The Ruby of binding/ruby/. */
const MmRules *mm_rules_ruby(void);

G_END_DECLS
#endif
