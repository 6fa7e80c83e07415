/* rig.c - see rig.h */
#include "config.h"
#include "test/support/rig-private.h"

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
#define ALL_STEPS 0x1fffff            /* Postfix 3.7: everything but the data sizes */
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

/* --- running --- */

static gboolean
mta_move(Rig *rig)
{
    gboolean moved = rig_end_write(&rig->mta);

    moved |= rig_end_read(&rig->mta);
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
            moved |= rig_child_move(rig->children->pdata[i]);
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

        is_good =
            strcmp(line, "optneg") == 0 ? send_offer(rig, message) : fill_step(rig, line, message);
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
    rig->settings.condition_timeout = 10;
    rig->settings.children = g_ptr_array_new_with_free_func(rig_config_free);
    rig->offer = (MilterOption){ .version = 6, .actions = ALL_ACTIONS, .steps = ALL_STEPS };
    rig->children = g_ptr_array_new_with_free_func(rig_child_free);
    rig->log = g_ptr_array_new_with_free_func(g_free);
    rig->log_levels = MILTER_LOG_ERROR | MILTER_LOG_WARNING;
    rig->listen_fd = -1;
    rig_end_init(&rig->mta);
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
    rig_rules_start(rig);
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

    rig_rules_stop(rig);
    if (rig->manager)
        mm_manager_free(&rig->manager);
    else
        mm_host_clear(&rig->host);
    g_ptr_array_unref(rig->children);
    milter_loop_free(&rig->loop);
    rig_end_clear(&rig->mta);
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

double
rig_patience(const Rig *rig, MilterStep step)
{
    const MmMtaTimeouts *timeouts = &rig->settings.timeouts[rig->settings.mta];

    switch (step) {
    case MILTER_STEP_NONE:
        return timeouts->negotiation;
    case MILTER_STEP_HEADER:
    case MILTER_STEP_EOH:
    case MILTER_STEP_BODY:
        return timeouts->content;
    case MILTER_STEP_EOM:
        return timeouts->eom;
    default:
        return timeouts->command;
    }
}
