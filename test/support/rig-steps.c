/* rig-steps.c - see rig-steps.h */
#include "config.h"
#include "test/support/rig-steps.h"

#include "test/support/calls.h"
#include "test/support/packet.h"

void
end_rig(Rig **rig)
{
    char *message = rig_free(rig);

    g_assert_cmpstr(message, ==, NULL);
    calls_remove();
}

void
fill(Rig *rig, guint8 command)
{
    char *message = NULL;

    if (!rig_fill(rig, command, &message))
        g_error("%s", message);
}

void
send_line(Rig *rig, const char *line)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, line);

    rig_mta_send(rig, wire->data, wire->len);
    rig_settle(rig);
}
