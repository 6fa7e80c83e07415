/* witness.h - a milter of the public interface that writes down what it is asked
 *
 * Its functions answer what the test has laid down for the step.  A test that needs another
 * function puts it into the steps; it is given the witness, too. */
#ifndef TEST_WITNESS_H
#define TEST_WITNESS_H

#include "libmilter-client/client.h"

typedef struct {
    MilterClient *client; /* owned */
    MilterClientSteps steps;
    MilterClientSession *session; /* the latest */
    MilterClientAnswer answers[MILTER_N_STEPS];
    MilterOption request;                         /* bits and lists that negotiate adds; owned */
    void (*at_eom)(MilterClientSession *session); /* before the answer; NULL: nothing */
    GString *seen; /* "connect HOST FAMILY PORT ADDRESS;helo NAME;…"; owned */
} Witness;

/* All steps, and all actions but lists of macros. */
extern const MilterClientSteps witness_steps;

/* A milter with STEPS (copied), which continues everywhere. */
void witness_init(Witness *witness, MilterLoop *loop, const MilterClientSteps *steps);
void witness_clear(Witness *witness);

/* This is what it has seen since it was asked last; it is forgotten. */
void witness_expect(Witness *witness, const char *seen);
void witness_forget(Witness *witness);

#endif
