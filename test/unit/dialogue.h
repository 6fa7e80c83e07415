/* dialogue.h - one connection between an MTA of raw packets and a witness, on a virtual clock */
#ifndef TEST_DIALOGUE_H
#define TEST_DIALOGUE_H

#include "test/unit/witness.h"

typedef struct {
    MilterLoop *loop; /* owned */
    Witness milter;
    GByteArray *in; /* what came to the MTA; owned */
    int fd;         /* the MTA's end; -1 when the test has closed it */
} Dialogue;

/* A witness with STEPS, connected; nothing was said. */
void dialogue_init(Dialogue *dialogue, const MilterClientSteps *steps);
void dialogue_clear(Dialogue *dialogue);

/* Until nothing moves any more. */
void settle(Dialogue *dialogue);

/* The MTA sends a packet, and all that follows from it happens. */
void send_packet(Dialogue *dialogue, guint8 command, const void *payload, gsize size);
#define SEND(dialogue, command, literal) \
    send_packet((dialogue), (command), (literal), sizeof(literal) - 1)

/* The next packet that came to the MTA is this one. */
void expect_packet(Dialogue *dialogue, guint8 reply, const void *payload, gsize size);
#define EXPECT(dialogue, reply, literal) \
    expect_packet((dialogue), (reply), (literal), sizeof(literal) - 1)

/* Nothing more came. */
void expect_nothing(Dialogue *dialogue);

/* The MTA's offer, and the answer to it, to be cleared; or both where they do not matter. */
void offer(Dialogue *dialogue, guint32 version, guint32 actions, guint32 steps);
MilterOption take_option(Dialogue *dialogue);
void negotiate(Dialogue *dialogue, guint32 version, guint32 actions, guint32 steps);

/* Through the envelope, all with continue; what was seen is forgotten. */
void begin_message(Dialogue *dialogue);

#endif
