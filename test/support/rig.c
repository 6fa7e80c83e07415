/* rig.c - see rig.h */
#include "config.h"
#include "test/support/rig.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "test/support/calls.h"

#define SETTLE_MAX (20 * 1000 * 1000) /* turns after which something runs in circles */
#define READ_SIZE (64 * 1024)
#define ALL_STEPS 0x1fffff /* Postfix 3.7: everything but the data sizes */
#define ALL_ACTIONS 0x1ff

/* --- log --- */

static void
on_log(MilterLogLevel level, const char *line, gpointer data)
{
    Rig *rig = data;

    if (g_getenv("RIG_LOG"))
        g_printerr("# %s %s\n", milter_log_level_name(level), line);
    if (level & rig->log_levels)
        g_ptr_array_add(rig->log, g_strconcat(milter_log_level_name(level), " ", line, NULL));
}

gboolean
rig_take_log(Rig *rig, const char *level, const char *const *parts, guint n)
{
    for (guint i = 0; i < rig->log->len; i++) {
        const char *line = rig->log->pdata[i];
        gboolean fits = g_str_has_prefix(line, level);

        for (guint j = 0; j < n && fits; j++)
            fits = strstr(line, parts[j]) != NULL;
        if (fits) {
            g_ptr_array_remove_index(rig->log, i);
            return TRUE;
        }
    }
    return FALSE;
}

guint
rig_count_fds(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    while (dir && g_dir_read_name(dir))
        n++;
    if (dir)
        g_dir_close(dir);
    return n;
}

/* --- ends --- */

static void
end_init(RigEnd *end)
{
    end->fd = -1;
    end->in = g_byte_array_new();
    end->out = g_byte_array_new();
}

static void
end_clear(RigEnd *end)
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
static gboolean
end_write(RigEnd *end)
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
static gboolean
end_read(RigEnd *end)
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
    (void)end_write(end);
}

gboolean
rig_has_packet(const RigEnd *end)
{
    MilterFrame frame;

    return rig_size(end) && milter_frame_peek(rig_bytes(end), rig_size(end), G_MAXUINT32, &frame) ==
                                MILTER_FRAME_OK;
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
    end_init(&child->end);
    g_ptr_array_add(rig->children, child);
    return child;
}

static void
child_free(gpointer data)
{
    RigChild *child = data;

    rig_unlisten(child);
    end_clear(&child->end);
    milter_option_clear(&child->option);
    g_free(child);
}

static void
config_free(gpointer data)
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

static gboolean
child_move(RigChild *child)
{
    gboolean was_eof = child->end.is_eof;
    gboolean moved = child_accept(child);

    moved |= end_write(&child->end);
    moved |= end_read(&child->end);
    child->n_eofs += child->end.is_eof && !was_eof;
    child_answer(child);
    return moved;
}

/* --- running --- */

static gboolean
mta_move(Rig *rig)
{
    gboolean moved = end_write(&rig->mta);

    moved |= end_read(&rig->mta);
    if (rig->is_auto_mta)
        rig_drop(&rig->mta);
    return moved;
}

void
rig_settle(Rig *rig)
{
    guint idle = 0;

    for (guint turn = 0; idle < 3; turn++) {
        guint before = calls.n_all;
        gboolean moved;

        g_assert_cmpuint(turn, <, SETTLE_MAX);
        milter_loop_turn(rig->loop, FALSE);
        moved = mta_move(rig);
        for (guint i = 0; i < rig->children->len; i++)
            moved |= child_move(rig->children->pdata[i]);
        idle = moved || calls.n_all != before ? 0 : idle + 1;
    }
}

void
rig_pass(Rig *rig, double seconds)
{
    rig_settle(rig);
    for (;;) {
        double next = milter_loop_next_timer(rig->loop);

        if (next < 0 || next > seconds)
            break;
        milter_loop_advance(rig->loop, next);
        seconds -= next;
        rig_settle(rig);
    }
    milter_loop_advance(rig->loop, seconds);
    rig_settle(rig);
}

/* --- the MTA --- */

void
rig_mta_send(Rig *rig, const void *wire, gsize size)
{
    const guint8 *next = wire;
    gsize left = size;
    MilterFrame frame;

    while (milter_frame_peek(next, left, G_MAXUINT32, &frame) == MILTER_FRAME_OK) {
        MilterState state = milter_state_next(rig->state, frame.command);

        if (state != MILTER_STATE_BAD)
            rig->state = state;
        next += frame.wire_size;
        left -= frame.wire_size;
    }
    rig_send(&rig->mta, wire, size);
}

static void
take_agreed(Rig *rig, GBytes *packet)
{
    gsize size;
    const guint8 *wire = g_bytes_get_data(packet, &size);
    MilterFrame frame;

    if (milter_frame_peek(wire, size, G_MAXUINT32, &frame) == MILTER_FRAME_OK &&
        frame.command == SMFIC_OPTNEG) {
        milter_option_clear(&rig->agreed);
        (void)milter_option_parse(&frame, &rig->agreed, NULL);
    }
}

/* Send LINE as the MTA; with children that continue, and it is told so. */
static gboolean
fill_step(Rig *rig, const char *line, char **message)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, line);
    guint8 command = wire->data[4];
    MilterStep step = milter_step_of_command(command);
    GBytes *answer;
    g_autofree char *text = NULL;
    gboolean is_good;

    rig_mta_send(rig, wire->data, wire->len);
    rig_settle(rig);
    if (step != MILTER_STEP_NONE && (rig->agreed.steps & milter_step_nr_bit(step)))
        return TRUE;
    answer = rig_take(&rig->mta);
    if (!answer) {
        *message = g_strdup_printf("filling in \"%s\": no answer to the MTA", line);
        return FALSE;
    }
    if (command == SMFIC_OPTNEG)
        take_agreed(rig, answer);
    text = packet_text(PACKET_REPLY, g_bytes_get_data(answer, NULL), g_bytes_get_size(answer));
    is_good = g_str_has_prefix(text, command == SMFIC_OPTNEG ? "optneg" : "continue");
    if (!is_good)
        *message = g_strdup_printf("filling in \"%s\": the MTA got %s", line, text);
    g_bytes_unref(answer);
    return is_good;
}

/* What must come before COMMAND, from where the MTA is; NULL when nothing. */
static const char *
missing_step(Rig *rig, guint8 command)
{
    MilterState state = rig->state;

    if (command == SMFIC_OPTNEG || command == SMFIC_QUIT || command == SMFIC_QUIT_NC)
        return NULL;
    if (state == MILTER_STATE_START)
        return "optneg";
    if (command == SMFIC_CONNECT || command == SMFIC_ABORT || command == SMFIC_UNKNOWN)
        return NULL;
    if (state == MILTER_STATE_READY)
        return "connect client.example 4 25000 192.0.2.7";
    if (command == SMFIC_HELO)
        return NULL;
    if (state == MILTER_STATE_CONNECT)
        return "helo client.example";
    if (command == SMFIC_MAIL)
        return NULL;
    if (state == MILTER_STATE_HELO || state == MILTER_STATE_EOM)
        return "mail <sender@client.example>";
    if (command == SMFIC_RCPT)
        return NULL;
    if (state == MILTER_STATE_MAIL)
        return "rcpt <user@example.org>";
    if (command == SMFIC_DATA)
        return NULL;
    if (state == MILTER_STATE_RCPT && !(rig->agreed.steps & SMFIP_NODATA) &&
        rig->agreed.version >= 4)
        return "data";
    if (command == SMFIC_HEADER || command == SMFIC_EOH)
        return NULL;
    if (state <= MILTER_STATE_HEADER && !(rig->agreed.steps & SMFIP_NOEOH))
        return "eoh";
    return NULL;
}

static gboolean
send_offer(Rig *rig, char **message)
{
    g_autofree char *line =
        g_strdup_printf("optneg version=%u actions=%u steps=%u", rig->offer.version,
                        rig->offer.actions, rig->offer.steps);

    return fill_step(rig, line, message);
}

gboolean
rig_fill(Rig *rig, guint8 command, char **message)
{
    g_autofree gboolean *was_auto = g_new0(gboolean, rig->children->len + 1);
    const char *line = missing_step(rig, command);
    gboolean is_good = TRUE;

    if (!line)
        return TRUE;
    for (guint i = 0; i < rig->children->len; i++) {
        RigChild *child = rig->children->pdata[i];

        was_auto[i] = child->is_auto;
        child->is_auto = TRUE;
    }
    while (is_good && (line = missing_step(rig, command))) {
        MilterState before = rig->state;

        is_good = strcmp(line, "optneg") == 0 ? send_offer(rig, message)
                                              : fill_step(rig, line, message);
        g_assert_true(rig->state != before || !is_good);
    }
    for (guint i = 0; i < rig->children->len; i++)
        ((RigChild *)rig->children->pdata[i])->is_auto = was_auto[i];
    return is_good;
}

/* --- life --- */

Rig *
rig_new(MmMta mta)
{
    Rig *rig = g_new0(Rig, 1);

    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    rig->directory = g_dir_make_tmp("rig-XXXXXX", NULL);
    g_assert_nonnull(rig->directory);
    rig->loop = milter_loop_new_virtual();
    rig->settings.mta = mta;
    rig->settings.timeouts[MM_MTA_POSTFIX] = (MmMtaTimeouts){ 30, 30, 300, 600 };
    rig->settings.timeouts[MM_MTA_SENDMAIL] = (MmMtaTimeouts){ 10, 10, 10, 300 };
    rig->settings.spool_memory_limit = 64 * 1024 * 1024;
    rig->settings.spool_limit = 256 * 1024 * 1024;
    rig->settings.spool_directory = g_strdup(rig->directory);
    rig->settings.chunk_size = 65535;
    rig->settings.children = g_ptr_array_new_with_free_func(config_free);
    rig->offer = (MilterOption){ .version = 6, .actions = ALL_ACTIONS, .steps = ALL_STEPS };
    rig->children = g_ptr_array_new_with_free_func(child_free);
    rig->log = g_ptr_array_new_with_free_func(g_free);
    rig->log_levels = MILTER_LOG_ERROR | MILTER_LOG_WARNING;
    rig->listen_fd = -1;
    end_init(&rig->mta);
    milter_log_set_sink(on_log, rig);
    milter_log_set_levels(g_getenv("RIG_LOG") ? MILTER_LOG_ALL : MILTER_LOG_DEFAULT);
    return rig;
}

static void
on_ended(MmRelay *relay, gpointer data)
{
    Rig *rig = data;

    g_assert_true(rig->relay == relay);
    rig->relay = NULL;
    rig->n_ended++;
}

static void
connect_to_manager(Rig *rig)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/manager", rig->directory);
    rig->mta.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (rig->listen_fd < 0) {
        rig->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        g_assert_cmpint(bind(rig->listen_fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(rig->listen_fd, 16), ==, 0);
        rig->manager = mm_manager_new(rig->loop, &rig->settings, NULL, rig->listen_fd);
    }
    g_assert_cmpint(connect(rig->mta.fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
}

void
rig_open_session(Rig *rig)
{
    int fds[2];

    rig_close(&rig->mta);
    rig_drop(&rig->mta);
    rig->mta.is_eof = FALSE;
    rig->state = MILTER_STATE_START;
    milter_option_clear(&rig->agreed);
    if (rig->via_manager) {
        connect_to_manager(rig);
        return;
    }
    g_assert_null(rig->relay);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==, 0);
    rig->mta.fd = fds[0];
    rig->relay = mm_relay_new(&rig->host, fds[1], on_ended, rig);
}

void
rig_start(Rig *rig)
{
    for (guint i = 0; i < rig->children->len; i++) {
        RigChild *child = rig->children->pdata[i];

        if (child->config->enabled && child->listen_fd == -1)
            rig_listen(child);
    }
    if (!rig->via_manager)
        mm_host_init(&rig->host, rig->loop, &rig->settings, NULL);
    rig_open_session(rig);
}

/* The MTA leaves; children that only evaluate get their answers. */
static char *
end_session(Rig *rig)
{
    for (guint i = 0; i < rig->children->len; i++) {
        RigChild *child = rig->children->pdata[i];

        child->is_auto = TRUE;
        child->answer = rig_answer_continue;
    }
    rig_close(&rig->mta);
    rig_settle(rig);
    /* Whoever hangs is given up by its timeout. */
    if (rig->relay)
        rig_pass(rig, 1000);
    if (rig->relay) {
        mm_relay_free(&rig->relay);
        return g_strdup("the session did not end after the MTA had gone");
    }
    if (!rig->via_manager && rig->host.budget.memory_used)
        return g_strdup_printf("%" G_GSIZE_FORMAT " bytes of messages are still counted",
                               rig->host.budget.memory_used);
    return NULL;
}

char *
rig_free(Rig **rig_p)
{
    Rig *rig = g_steal_pointer(rig_p);
    g_autofree char *manager_path = g_build_filename(rig->directory, "manager", NULL);
    char *message = end_session(rig);

    if (rig->manager)
        mm_manager_free(&rig->manager);
    else
        mm_host_clear(&rig->host);
    g_ptr_array_unref(rig->children);
    milter_loop_free(&rig->loop);
    end_clear(&rig->mta);
    if (rig->listen_fd >= 0)
        (void)close(rig->listen_fd);
    (void)g_unlink(manager_path);
    if (g_rmdir(rig->directory) != 0 && !message)
        message = g_strdup_printf("something is left in %s", rig->directory);
    milter_log_set_sink(NULL, NULL);
    g_ptr_array_unref(rig->log);
    g_ptr_array_unref(rig->settings.children);
    g_free(rig->settings.spool_directory);
    g_free(rig->settings.extra_macros);
    milter_option_clear(&rig->offer);
    milter_option_clear(&rig->agreed);
    g_free(rig->directory);
    g_free(rig);
    return message;
}
