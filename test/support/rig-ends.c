/* rig-ends.c - the sockets that a rig's test plays; see rig.h */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test/support/rig-private.h"

#define READ_SIZE (64 * 1024)
#define ALL_ACTIONS 0x1ff

/* --- ends --- */

void
rig_end_init(RigEnd *end)
{
    end->fd = -1;
    end->in = g_byte_array_new();
    end->out = g_byte_array_new();
}

void
rig_end_clear(RigEnd *end)
{
    rig_close(end);
    g_byte_array_unref(end->in);
    g_byte_array_unref(end->out);
}

void
rig_close(RigEnd *end)
{
    if (end->fd >= 0)
        (void)close(end->fd);
    end->fd = -1;
    g_byte_array_set_size(end->out, 0);
}

/* Write what waits; TRUE when something went out. */
gboolean
rig_end_write(RigEnd *end)
{
    ssize_t n;

    if (end->fd < 0 || !end->out->len)
        return FALSE;
    n = send(end->fd, end->out->data, end->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN)
        g_byte_array_set_size(end->out, 0);
    if (n <= 0)
        return FALSE;
    g_byte_array_remove_range(end->out, 0, (guint)n);
    return TRUE;
}

/* Read what is there; TRUE when something came. */
gboolean
rig_end_read(RigEnd *end)
{
    guint8 buffer[READ_SIZE];
    gboolean came = FALSE;

    while (end->fd >= 0 && !end->is_eof) {
        ssize_t n = recv(end->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
            break;
        came = TRUE;
        if (n <= 0)
            end->is_eof = TRUE;
        else
            g_byte_array_append(end->in, buffer, (guint)n);
        if (n < (ssize_t)sizeof(buffer))
            break;
    }
    return came;
}

void
rig_send(RigEnd *end, const void *wire, gsize size)
{
    g_byte_array_append(end->out, wire, (guint)size);
    (void)rig_end_write(end);
}

gboolean
rig_has_packet(const RigEnd *end)
{
    MilterFrame frame;

    return rig_size(end) &&
           milter_frame_peek(rig_bytes(end), rig_size(end), G_MAXUINT32, &frame) == MILTER_FRAME_OK;
}

GBytes *
rig_take(RigEnd *end)
{
    MilterFrame frame;
    gsize size = 0;
    GBytes *packet;

    if (!rig_size(end))
        return NULL;
    if (milter_frame_peek(rig_bytes(end), rig_size(end), G_MAXUINT32, &frame) == MILTER_FRAME_OK)
        size = frame.wire_size;
    else if (end->is_eof)
        size = rig_size(end);
    if (!size)
        return NULL;
    packet = g_bytes_new(rig_bytes(end), size);
    end->n_taken += size;
    if (!rig_size(end))
        rig_drop(end);
    return packet;
}

void
rig_drop(RigEnd *end)
{
    g_byte_array_set_size(end->in, 0);
    end->n_taken = 0;
}

/* --- children --- */

void
rig_listen(RigChild *child)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_strlcpy(address.sun_path, milter_endpoint_path(child->config->endpoint),
              sizeof(address.sun_path));
    child->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    g_assert_cmpint(child->listen_fd, >=, 0);
    g_assert_cmpint(bind(child->listen_fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(child->listen_fd, 16), ==, 0);
}

void
rig_unlisten(RigChild *child)
{
    if (child->listen_fd < 0)
        return;
    (void)close(child->listen_fd);
    child->listen_fd = -1;
    (void)g_unlink(milter_endpoint_path(child->config->endpoint));
}

RigChild *
rig_add(Rig *rig, const char *name)
{
    RigChild *child = g_new0(RigChild, 1);
    MmChild *config = g_new0(MmChild, 1);

    config->index = rig->children->len;
    config->name = g_strdup(name);
    config->spec = g_strdup_printf("unix:%s/%s", rig->directory, name);
    config->endpoint = milter_endpoint_parse(config->spec, NULL);
    config->enabled = TRUE;
    config->fallback = MILTER_FALLBACK_TEMPORARY_FAILURE;
    config->connection_timeout = MM_CHILD_CONNECTION_TIMEOUT;
    config->writing_timeout = MM_CHILD_WRITING_TIMEOUT;
    config->reading_timeout = MM_CHILD_READING_TIMEOUT;
    config->end_of_message_timeout = MM_CHILD_END_OF_MESSAGE_TIMEOUT;
    g_assert_nonnull(config->endpoint);
    g_ptr_array_add(rig->settings.children, config);

    child->rig = rig;
    child->config = config;
    child->listen_fd = -1;
    child->option.version = 6;
    child->option.actions = ALL_ACTIONS;
    child->answer = rig_answer_continue;
    rig_end_init(&child->end);
    g_ptr_array_add(rig->children, child);
    return child;
}

void
rig_child_free(gpointer data)
{
    RigChild *child = data;

    rig_unlisten(child);
    rig_end_clear(&child->end);
    milter_option_clear(&child->option);
    g_clear_pointer(&child->rules, g_ptr_array_unref);
    g_free(child);
}

void
rig_config_free(gpointer data)
{
    MmChild *config = data;

    milter_endpoint_free(&config->endpoint);
    g_free(config->name);
    g_free(config->spec);
    g_free(config);
}

RigChild *
rig_child(Rig *rig, const char *name)
{
    for (guint i = 0; i < rig->children->len; i++) {
        RigChild *child = rig->children->pdata[i];

        if (strcmp(child->config->name, name) == 0)
            return child;
    }
    return NULL;
}

void
rig_answer_continue(RigChild *child, const MilterFrame *frame)
{
    static const guint8 plain[] = { 0, 0, 0, 1, SMFIR_CONTINUE };
    MilterStep step = milter_step_of_command(frame->command);

    if (frame->command == SMFIC_OPTNEG) {
        MilterOption offer = { 0 }, answer = { 0 };
        MilterBuffer out = { 0 };

        (void)milter_option_parse(frame, &offer, NULL);
        milter_option_copy(&answer, &child->option);
        answer.version = MIN(answer.version, offer.version);
        answer.actions &= offer.actions;
        answer.steps &= offer.steps;
        milter_option_build(&out, &answer);
        rig_send(&child->end, milter_buffer_bytes(&out), milter_buffer_size(&out));
        milter_buffer_clear(&out);
        milter_option_clear(&answer);
        milter_option_clear(&offer);
    } else if (step != MILTER_STEP_NONE && frame->command != SMFIC_MACRO &&
               !(child->option.steps & milter_step_nr_bit(step))) {
        rig_send(&child->end, plain, sizeof(plain));
    }
}

static gboolean
child_accept(RigChild *child)
{
    int fd;

    if (child->listen_fd < 0)
        return FALSE;
    fd = accept4(child->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return FALSE;
    rig_close(&child->end);
    rig_drop(&child->end);
    child->end.fd = fd;
    child->end.is_eof = FALSE;
    child->is_negotiated = FALSE;
    child->n_connections++;
    return TRUE;
}

static void
child_answer(RigChild *child)
{
    while (child->is_auto && rig_has_packet(&child->end)) {
        GBytes *packet = rig_take(&child->end);
        gsize size;
        const guint8 *wire = g_bytes_get_data(packet, &size);
        MilterFrame frame;

        g_assert_cmpint(milter_frame_peek(wire, size, G_MAXUINT32, &frame), ==, MILTER_FRAME_OK);
        child->n_packets++;
        if (frame.command == SMFIC_OPTNEG)
            child->is_negotiated = TRUE;
        child->answer(child, &frame);
        g_bytes_unref(packet);
    }
}

gboolean
rig_child_move(RigChild *child)
{
    gboolean was_eof = child->end.is_eof;
    gboolean moved = child_accept(child);

    moved |= rig_end_write(&child->end);
    moved |= rig_end_read(&child->end);
    child->n_eofs += child->end.is_eof && !was_eof;
    child_answer(child);
    return moved;
}
