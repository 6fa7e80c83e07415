/* rig-steps.h - what tests in C do with a rig: any failure of the rig itself ends the test */
#ifndef RIG_STEPS_H
#define RIG_STEPS_H

#include "test/support/rig.h"

/* Nothing may be left; gives the manager's calls back. */
void end_rig(Rig **rig);

/* The MTA goes on to before COMMAND, with legal data. */
void fill(Rig *rig, guint8 command);

/* The MTA sends what LINE describes (packet.h). */
void send_line(Rig *rig, const char *line);

#endif
