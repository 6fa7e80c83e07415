/* channel.h - messages between supervisor, generation and workers
 *
 * A channel is a pair of connected sockets that keep the boundaries of messages.  A
 * message is one letter, some text, and at most one descriptor.  The kernel tells the
 * supervisor which process sent it.  The end of a process closes its end: whoever holds
 * the other one notices. */
#ifndef MM_CHANNEL_H
#define MM_CHANNEL_H

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

#define MM_CHANNEL_TEXT_MAX 4000 /* longer text is cut */

typedef enum {
    /* up: generation or worker to supervisor */
    MM_MESSAGE_SETTINGS = 'S', /* descriptor: memory file with the packed settings */
    MM_MESSAGE_SHOWN = 'T',    /* descriptor: memory file with what is to be printed; text: the status
                                  to exit with, "" for success */
    MM_MESSAGE_ERROR = 'E',    /* text: why the configuration does not load */
    MM_MESSAGE_LOADED = 'L',   /* every worker runs */
    MM_MESSAGE_WORKER = 'W',   /* from a worker itself; text: its number; descriptor: statistics */
    /* down: supervisor to generation, generation to worker */
    MM_MESSAGE_LOG = 'O',   /* descriptor: the log file from now on */
    MM_MESSAGE_GO = 'G',    /* descriptor: the listening socket */
    MM_MESSAGE_DRAIN = 'D', /* take nothing new, leave when the last session has ended */
    MM_MESSAGE_LEAVE = 'Q', /* leave now */
    /* worker to generation */
    MM_MESSAGE_READY = 'R', /* sessions are accepted */
    /* worker to generation to supervisor */
    MM_MESSAGE_LAUNCH = 'X', /* text: name of the child that is to be started */
} MmMessageKind;

typedef struct {
    char kind;
    char text[MM_CHANNEL_TEXT_MAX + 1];
    int fd;    /* -1 when there is none; the receiver's */
    pid_t pid; /* who sent it, 0 when the receiver did not ask with mm_channel_want_pids() */
} MmMessage;

typedef enum {
    MM_CHANNEL_MESSAGE,
    MM_CHANNEL_NOTHING, /* nothing is there now */
    MM_CHANNEL_CLOSED,  /* the other side is gone, or sent what is no message */
} MmChannelResult;

/* Both ends, close-on-exec. */
gboolean mm_channel_new(int ends[2], GError **error);
void mm_channel_want_pids(int channel);

/* Send; FD -1 for none, else it stays the caller's.  FALSE when the other side is gone or
 * takes nothing now. */
gboolean mm_channel_send(int channel, MmMessageKind kind, const char *text, int fd);

/* Receive; WAIT: until something comes. */
MmChannelResult mm_channel_receive(int channel, gboolean wait, MmMessage *message);

/* A sealed memory file with these bytes, to send as a descriptor; -1 with ERROR. */
int mm_memory_file_new(GBytes *bytes, GError **error);
/* What is in a memory file of at most MAX bytes.  FD stays the caller's. */
GBytes *mm_memory_file_read(int fd, gsize max, GError **error);

G_END_DECLS
#endif
