/* rig.h - one session of the manager between an MTA and children that the test plays
 *
 * Everything is in one process on one MilterLoop with virtual time: the MTA is one end of
 * a socket pair, children are listening unix sockets in a directory of the rig's own.
 * rig_settle() runs until nothing moves any more; time passes only by rig_pass(). */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <glib.h>

#include "libmilter-core/option.h"
#include "libmilter-core/reply.h"
#include "libmilter-core/state.h"
#include "src/manager.h"
#include "src/relay.h"
#include "test/support/packet.h"

typedef struct _Rig Rig;

/* One connection as the test sees it. */
typedef struct {
    int fd;          /* -1 when not connected */
    GByteArray *in;  /* read */
    gsize n_taken;   /* bytes of IN that were taken */
    GByteArray *out; /* not yet written */
    gboolean is_eof; /* the manager closed it */
} RigEnd;

typedef struct _RigChild RigChild;

/* A packet came to a child that answers by itself; send with rig_send(). */
typedef void (*RigAnswer)(RigChild *child, const MilterFrame *frame);

struct _RigChild {
    Rig *rig;
    MmChild *config;     /* change before rig_start() */
    MilterOption option; /* its answer to the offer when it answers by itself; owned */
    RigEnd end;
    int listen_fd;    /* -1 when down */
    gboolean is_auto; /* ANSWER is given what comes */
    RigAnswer answer; /* rig_answer_continue unless set */
    gpointer data;    /* of the test's */
    GPtrArray *rules; /* of rig_rule(); owned, NULL for none */
    guint n_connections;
    guint n_eofs;           /* connections that the manager closed */
    gboolean is_negotiated; /* the offer came on this connection */
    guint n_packets;        /* that came to it while it answered by itself */
};

struct _Rig {
    MilterLoop *loop;
    MmSettings settings; /* change before rig_start() */
    MmHost host;
    MmManager *manager; /* instead of HOST and RELAY with VIA_MANAGER */
    gboolean via_manager;
    int listen_fd;  /* of the manager */
    MmRelay *relay; /* NULL when it has ended */
    guint n_ended;  /* sessions that have ended */
    RigEnd mta;
    MilterOption offer;  /* of the MTA, owned */
    MilterOption agreed; /* what the manager answered, owned */
    MilterState state;   /* where the MTA is */
    GPtrArray *children; /* RigChild */
    GPtrArray *log;      /* "level line" of warnings and errors, and of what LOG_LEVELS says */
    guint log_levels;
    char *directory;
    gboolean is_auto_mta; /* what comes to the MTA is dropped */
};

/* Postfix's offer and timeouts, or Sendmail's; no children yet. */
Rig *rig_new(MmMta mta);
RigChild *rig_add(Rig *rig, const char *name);
RigChild *rig_child(Rig *rig, const char *name);

/* A condition of the child, before rig_start(): at STEP (where it is RCPT, for RECIPIENT only,
 * unless that is NULL) it says DECISION and sets a macro (NAME NULL: none). */
void rig_rule(RigChild *child, MilterStep step, const char *recipient, MmDecision decision,
              const char *name, const char *value);

/* Make the children listen, and open the first session. */
void rig_start(Rig *rig);
/* One more session, after the last has ended. */
void rig_open_session(Rig *rig);
void rig_listen(RigChild *child);
void rig_unlisten(RigChild *child);

/* Ends the session, checks that nothing is left (descriptors, held bytes), and clears the
 * pointer.  NULL, or what is wrong; free with g_free. */
char *rig_free(Rig **rig_p);

/* Run until nothing moves. */
void rig_settle(Rig *rig);
/* Let SECONDS pass, settling at every timer. */
void rig_pass(Rig *rig, double seconds);

void rig_send(RigEnd *end, const void *wire, gsize size);
/* The MTA sends; keeps track of its state. */
void rig_mta_send(Rig *rig, const void *wire, gsize size);
void rig_close(RigEnd *end);
/* The next packet that has come, or NULL.  Bytes that are no packet are given as they are
 * when IS_EOF. */
GBytes *rig_take(RigEnd *end);
gboolean rig_has_packet(const RigEnd *end);
/* Bytes that have come and are not taken. */
static inline const guint8 *
rig_bytes(const RigEnd *end)
{
    return end->in->data + end->n_taken;
}
static inline gsize
rig_size(const RigEnd *end)
{
    return end->in->len - end->n_taken;
}
void rig_drop(RigEnd *end);

/* What libmilter does without callbacks: negotiate and continue. */
void rig_answer_continue(RigChild *child, const MilterFrame *frame);

/* Let the MTA go through everything that must come before COMMAND, with legal data and
 * children that continue.  FALSE with a message when it is not answered with continue. */
gboolean rig_fill(Rig *rig, guint8 command, char **message);

/* Seconds that the MTA waits for the reply to STEP (MILTER_STEP_NONE: its offer). */
double rig_patience(const Rig *rig, MilterStep step);

/* Take the first logged line with LEVEL ("warning") that has all of the N parts. */
gboolean rig_take_log(Rig *rig, const char *level, const char *const *parts, guint n);

/* Open descriptors of this process. */
guint rig_count_fds(void);

#endif
