/* plan.h - what the load generator says in a session, prepared once
 *
 * The MTA's side of a milter session is always the same here, so it is turned
 * into "bursts": the bytes that Postfix has in its buffer when it must wait,
 * and the step whose reply it then waits for.  A step the filter declined is
 * left out but for its macros, a step without reply joins the next burst: as in
 * Postfix, which flushes only before it reads (milter8.c, double-buffered
 * VSTREAM).
 *
 * Knows no sockets.  A plan belongs to the caller and depends on nothing but
 * the shape of the mail and the filter's answer to the negotiation. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <glib.h>

typedef struct {
    guint n_headers;
    guint header_size;          /* bytes of each header's value */
    gsize body_size;
    const char *host;           /* the client's name */
} MailShape;

typedef struct {
    guint8 *data;
    gsize size;
    guint8 step;                /* SMFIC_*: the step that gets the reply */
} Burst;

typedef struct {
    GArray *open;               /* of Burst: connect and HELO */
    GByteArray *open_rest;      /* written but not yet flushed after HELO */
    GArray *first;              /* first message; starts with open_rest */
    GArray *again;              /* later messages; starts with ABORT */
} Plan;

/* The packet that opens the negotiation: version 6 and what Postfix 3.7 offers.
 * The caller frees it. */
GByteArray *plan_offer(void);

/* Prepare the session for a filter that answered with this payload (version,
 * actions, steps, macro lists).  Dies if the answer is not a legal one. */
Plan *plan_new(const guint8 *answer, gsize size, const MailShape *shape);

void plan_free(Plan **plan_p);

#endif
