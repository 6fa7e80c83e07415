/* mail.h - one mail in memory, and the changes that milters ask for */
#ifndef EXAMPLES_MAIL_H
#define EXAMPLES_MAIL_H

#include <glib.h>
#include <libmilter-server/server.h>
#include <stdio.h>

typedef struct {
    char *name;
    char *value; /* as after the colon, with its blank; folded lines separated by LF */
} MailHeader;

typedef struct {
    GPtrArray *headers; /* MailHeader */
    GByteArray *body;   /* lines end with CRLF */
    char *sender;       /* with angle brackets */
    GPtrArray *recipients;
    gboolean has_new_body; /* the milter that is asked now has begun to replace it */
} Mail;

/* Read the mail in the file PATH ("-": standard input), lines ending with LF or CRLF. */
Mail *mail_read(const char *path, GError **error);
void mail_free(Mail *mail);

/* Write it with LF line ends. */
void mail_write(const Mail *mail, FILE *file);

/* What the next milter sees has the changes so far. */
void mail_begin_edits(Mail *mail);
/* Make the change as Postfix does; a line that says what it was, to be freed. */
char *mail_edit(Mail *mail, const MilterServerEdit *edit);

#endif
