/* dialogue.c - see dialogue.h */
#include "config.h"
#include "test/unit/dialogue.h"

#include <sys/socket.h>
#include <unistd.h>

void
dialogue_init(Dialogue *dialogue, const MilterClientSteps *steps)
{
    int ends[2];

    *dialogue = (Dialogue){ .fd = -1 };
    dialogue->loop = milter_loop_new_virtual();
    witness_init(&dialogue->milter, dialogue->loop, steps);
    dialogue->in = g_byte_array_new();
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), ==,
                    0);
    dialogue->fd = ends[0];
    milter_client_add(dialogue->milter.client, ends[1]);
}

void
dialogue_clear(Dialogue *dialogue)
{
    if (dialogue->fd >= 0)
        close(dialogue->fd);
    witness_clear(&dialogue->milter);
    milter_loop_free(&dialogue->loop);
    g_byte_array_unref(dialogue->in);
}

/* Every packet in flight takes a turn or two. */
void
settle(Dialogue *dialogue)
{
    guint8 part[65536];
    ssize_t n = 1;

    for (guint quiet = 0; quiet < 3;) {
        milter_loop_turn(dialogue->loop, FALSE);
        n = dialogue->fd >= 0 ? read(dialogue->fd, part, sizeof(part)) : -1;
        if (n > 0)
            g_byte_array_append(dialogue->in, part, (guint)n);
        quiet = n > 0 ? 0 : quiet + 1;
    }
}

void
send_packet(Dialogue *dialogue, guint8 command, const void *payload, gsize size)
{
    MilterBuffer packet = { 0 };

    milter_buffer_append_packet(&packet, command, payload, size);
    g_assert_cmpint(write(dialogue->fd, milter_buffer_bytes(&packet), milter_buffer_size(&packet)),
                    ==, (gssize)milter_buffer_size(&packet));
    milter_buffer_clear(&packet);
    settle(dialogue);
}

void
expect_packet(Dialogue *dialogue, guint8 reply, const void *payload, gsize size)
{
    MilterFrame frame;

    g_assert_cmpint(
        milter_frame_peek(dialogue->in->data, dialogue->in->len, MILTER_PACKET_MAX, &frame), ==,
        MILTER_FRAME_OK);
    g_assert_cmpint(frame.command, ==, reply);
    g_assert_cmpmem(frame.payload, frame.size, payload, size);
    g_byte_array_remove_range(dialogue->in, 0, (guint)frame.wire_size);
}

void
expect_nothing(Dialogue *dialogue)
{
    g_assert_cmpuint(dialogue->in->len, ==, 0);
}

void
offer(Dialogue *dialogue, guint32 version, guint32 actions, guint32 steps)
{
    const MilterOption option = { .version = version, .actions = actions, .steps = steps };
    MilterBuffer packet = { 0 };

    milter_option_build(&packet, &option);
    send_packet(dialogue, SMFIC_OPTNEG, milter_buffer_bytes(&packet) + MILTER_FRAME_HEAD,
                milter_buffer_size(&packet) - MILTER_FRAME_HEAD);
    milter_buffer_clear(&packet);
}

MilterOption
take_option(Dialogue *dialogue)
{
    MilterOption option = { 0 };
    MilterFrame frame;

    g_assert_cmpint(
        milter_frame_peek(dialogue->in->data, dialogue->in->len, MILTER_PACKET_MAX, &frame), ==,
        MILTER_FRAME_OK);
    g_assert_cmpint(frame.command, ==, SMFIC_OPTNEG);
    g_assert_true(milter_option_parse(&frame, &option, NULL));
    g_byte_array_remove_range(dialogue->in, 0, (guint)frame.wire_size);
    return option;
}

void
negotiate(Dialogue *dialogue, guint32 version, guint32 actions, guint32 steps)
{
    MilterOption option;

    offer(dialogue, version, actions, steps);
    option = take_option(dialogue);
    g_assert_cmpuint(option.version, ==, version);
    milter_option_clear(&option);
}

void
begin_message(Dialogue *dialogue)
{
    SEND(dialogue, SMFIC_CONNECT, "host\0U");
    SEND(dialogue, SMFIC_HELO, "me\0");
    SEND(dialogue, SMFIC_MAIL, "<a>\0");
    SEND(dialogue, SMFIC_RCPT, "<b>\0");
    for (guint i = 0; i < 4; i++)
        EXPECT(dialogue, SMFIR_CONTINUE, "");
    witness_forget(&dialogue->milter);
}
