/* notify.h - telling systemd how far we are; nothing happens without it */
#ifndef MM_NOTIFY_H
#define MM_NOTIFY_H

void mm_notify_ready(void);
void mm_notify_reloading(void);
void mm_notify_stopping(void);

#endif
