/* rig-private.h - what rig.c and rig-ends.c share */
#ifndef TEST_RIG_PRIVATE_H
#define TEST_RIG_PRIVATE_H

#include "test/support/rig.h"

void rig_end_init(RigEnd *end);
void rig_end_clear(RigEnd *end);
/* Write what waits, read what is there; TRUE when something moved. */
gboolean rig_end_write(RigEnd *end);
gboolean rig_end_read(RigEnd *end);

/* Accept, write, read and answer; TRUE when something moved. */
gboolean rig_child_move(RigChild *child);

/* Conditions, where children have rules. */
void rig_rules_start(Rig *rig);
void rig_rules_stop(Rig *rig);

/* For arrays of them. */
void rig_child_free(gpointer child);
void rig_config_free(gpointer config);

#endif
