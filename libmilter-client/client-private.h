/* client-private.h - what client.c and client-edit.c share; not installed */
#ifndef MILTER_CLIENT_PRIVATE_H
#define MILTER_CLIENT_PRIVATE_H

#include "libmilter-client/client.h"
#include "libmilter-client/session.h"
#include "libmilter-core/macros.h"

G_BEGIN_DECLS

struct _MilterClientSession {
    MilterClient *client;    /* borrowed */
    MilterSession *session;  /* owned; NULL when over */
    GList link;              /* in the client's sessions */
    MilterMacros *macros;    /* owned */
    char *refusal;           /* text of milter_client_refuse(); owned */
    MilterBuffer body;       /* the replaced body, complete packets */
    gpointer data;           /* the milter's */
    GDestroyNotify destroy;  /* for it; may be NULL */
    guint32 silent;          /* SMFIP_NR_* of steps that are always answered with continue */
    guint is_in_message : 1; /* MAIL came, and neither the answer to EOM nor abort */
    guint skips_body : 1;    /* the milter wants no more chunks, the MTA cannot be told */
};

G_END_DECLS
#endif
