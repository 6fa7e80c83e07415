/* control.c - see control.h: connections and requests */
#include "config.h"
#include "src/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/supervisor-private.h"

#define CLIENTS_MAX 16
#define REQUEST_MAX 256 /* bytes of the line */
#define PATIENCE 10.    /* s to send the request, and to take the answer */

typedef struct {
    MmControl *control;
    int fd; /* owned */
    ev_io watch;
    MilterTimer timer;
    GString *bytes; /* of the request, then of the answer; owned */
    gsize n_sent;
    gboolean is_answered, waits_for_load;
} Client;

struct _MmControl {
    MmSupervisor *supervisor;
    MmListener *listener; /* or NULL; owned */
    ev_io accept_watch;
    GPtrArray *clients; /* Client; owned */
};

static struct ev_loop *
ev_of(const MmControl *control)
{
    return milter_loop_ev(control->supervisor->loop);
}

static void
free_client(gpointer data)
{
    Client *client = data;

    ev_io_stop(ev_of(client->control), &client->watch);
    milter_timer_clear(&client->timer);
    close(client->fd);
    g_string_free(client->bytes, TRUE);
    g_free(client);
}

static void
hang_up(Client *client)
{
    g_ptr_array_remove_fast(client->control->clients, client);
}

/* --- answers --- */

/* Send what can be sent now; the client may be gone on return. */
static void
go_on_sending(Client *client)
{
    while (client->n_sent < client->bytes->len) {
        ssize_t n = send(client->fd, client->bytes->str + client->n_sent,
                         client->bytes->len - client->n_sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        client->n_sent += (gsize)n;
    }
    hang_up(client);
}

static void
answer(Client *client, gboolean is_good, const char *text)
{
    struct ev_loop *ev = ev_of(client->control);

    client->is_answered = TRUE;
    client->waits_for_load = FALSE;
    g_string_printf(client->bytes, "%s\n%s", is_good ? "ok" : "error", text);
    ev_io_stop(ev, &client->watch);
    ev_io_set(&client->watch, client->fd, EV_WRITE);
    ev_io_start(ev, &client->watch);
    milter_timer_start(&client->timer, PATIENCE);
    go_on_sending(client);
}

static void
answer_line(Client *client, gboolean is_good, const char *line)
{
    g_autofree char *text = g_strconcat(line, "\n", NULL);

    answer(client, is_good, text);
}

static void
answer_configuration(Client *client)
{
    GBytes *shown = client->control->supervisor->shown;
    g_autofree char *text = NULL;
    gconstpointer bytes;
    gsize size;

    if (!shown) {
        answer_line(client, FALSE, "no configuration is in use");
        return;
    }
    bytes = g_bytes_get_data(shown, &size);
    text = g_strndup(bytes, size);
    answer(client, TRUE, text);
}

static void
start_reload(Client *client)
{
    MmSupervisor *supervisor = client->control->supervisor;

    if (supervisor->is_stopping) {
        answer_line(client, FALSE, "stopping");
        return;
    }
    /* How long that takes is up to the configuration. */
    client->waits_for_load = TRUE;
    milter_timer_stop(&client->timer);
    mm_supervisor_reload(supervisor);
}

static void
take_request(Client *client, const char *request)
{
    MmSupervisor *supervisor = client->control->supervisor;
    g_autofree char *shown = milter_log_escape(request, strlen(request), REQUEST_MAX);
    g_autofree char *text = NULL;

    milter_info("control request=%s", shown);
    if (strcmp(request, "status") == 0 || strcmp(request, "status json") == 0) {
        text = mm_control_status(supervisor, g_str_has_suffix(request, "json"));
        answer(client, TRUE, text);
    } else if (strcmp(request, "reload") == 0) {
        start_reload(client);
    } else if (strcmp(request, "get-configuration") == 0) {
        answer_configuration(client);
    } else if (strcmp(request, "reopen-log") == 0) {
        mm_supervisor_reopen_log(supervisor);
        answer(client, TRUE, "");
    } else if (strcmp(request, "shutdown") == 0) {
        answer(client, TRUE, "");
        mm_supervisor_stop(supervisor);
    } else {
        text = g_strdup_printf("%s: no such request; there are status, reload, get-configuration, "
                               "reopen-log and shutdown",
                               shown);
        answer_line(client, FALSE, text);
    }
}

void
mm_control_loaded(MmControl *control, const char *reason)
{
    for (guint i = control->clients->len; i-- > 0;) {
        Client *client = g_ptr_array_index(control->clients, i);

        if (!client->waits_for_load)
            continue;
        if (reason)
            answer_line(client, FALSE, reason);
        else
            answer(client, TRUE, "");
    }
}

/* --- requests --- */

/* TRUE when there is nothing more to read. */
static gboolean
read_request(Client *client)
{
    char bytes[REQUEST_MAX];
    ssize_t n = recv(client->fd, bytes, sizeof(bytes), 0);
    char *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return FALSE;
    /* Whoever waits for a reload may well have closed its side of the connection. */
    if (client->waits_for_load && n == 0) {
        ev_io_stop(ev_of(client->control), &client->watch);
        return TRUE;
    }
    if (n <= 0 || client->waits_for_load) {
        hang_up(client);
        return TRUE;
    }
    g_string_append_len(client->bytes, bytes, n);
    end = memchr(client->bytes->str, '\n', client->bytes->len);
    if (end) {
        g_autofree char *line = g_strndup(client->bytes->str, (gsize)(end - client->bytes->str));

        take_request(client, line);
        return TRUE;
    }
    if (client->bytes->len >= REQUEST_MAX)
        answer_line(client, FALSE, "the request is too long");
    return TRUE;
}

static void
on_ready(struct ev_loop *ev, ev_io *watch, int events)
{
    Client *client = watch->data;

    if (client->is_answered)
        go_on_sending(client);
    else
        (void)read_request(client);
}

static void
on_impatient(MilterTimer *timer, gpointer data)
{
    hang_up(data);
}

static void
on_acceptable(struct ev_loop *ev, ev_io *watch, int events)
{
    MmControl *control = watch->data;
    int fd = accept4(mm_listener_fd(control->listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    Client *client;

    if (fd < 0)
        return;
    if (control->clients->len >= CLIENTS_MAX) {
        close(fd);
        return;
    }
    client = g_new0(Client, 1);
    client->control = control;
    client->fd = fd;
    client->bytes = g_string_new(NULL);
    ev_io_init(&client->watch, on_ready, fd, EV_READ);
    client->watch.data = client;
    ev_io_start(ev, &client->watch);
    milter_timer_init(&client->timer, control->supervisor->loop, on_impatient, client);
    milter_timer_start(&client->timer, PATIENCE);
    g_ptr_array_add(control->clients, client);
}

/* --- life --- */

MmControl *
mm_control_new(MmSupervisor *supervisor)
{
    MmControl *control = g_new0(MmControl, 1);

    control->supervisor = supervisor;
    control->clients = g_ptr_array_new_with_free_func(free_client);
    ev_init(&control->accept_watch, on_acceptable);
    control->accept_watch.data = control;
    return control;
}

void
mm_control_listen(MmControl *control, MmListener *listener)
{
    ev_io_stop(ev_of(control), &control->accept_watch);
    mm_listener_free(&control->listener);
    control->listener = listener;
    if (!listener)
        return;
    ev_io_set(&control->accept_watch, mm_listener_fd(listener), EV_READ);
    ev_io_start(ev_of(control), &control->accept_watch);
}

MmListener *
mm_control_listener(const MmControl *control)
{
    return control->listener;
}

void
mm_control_free(MmControl **control_p)
{
    MmControl *control = g_steal_pointer(control_p);

    if (!control)
        return;
    mm_control_listen(control, NULL);
    g_ptr_array_unref(control->clients);
    g_free(control);
}
