/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_recover.c: the nested operation that undoes the changes of a save or of domain_suspend_only. It also
 * serves as a claim: while it exists, no other operation may save or suspend the domain. Call all functions with
 * the context locked.
 */
#ifndef LIBXL__RECOVER_H
#define LIBXL__RECOVER_H

#include "ops.h"

/*
 * The suffix of the name of a domain that is given to another machine. The sender renames NAME to NAME--migratedaway.
 * The domain keeps this name until it is destroyed or runs here again.
 */
#define LIBXL__AWAY "--migratedaway"

/*
 * A guest that has agreed to suspend itself can still do so after the save has failed. The recovery waits for this
 * guest to suspend itself, and then resumes it. This is the longest time of that wait, in ms.
 */
enum { LIBXL__RECOVER_FOLLOWS = 600000 };

/*
 * Creates the recovery of the parent's domain, and reserves all its resources, so that libxl__recover_start
 * cannot fail. While the recovery exists, no other operation of the context can create one for the same
 * domain. When the parent ends, a started recovery continues, and a recovery that was not started is freed.
 * Errors: BUSY, NOMEM, FAIL, recorded in the parent. After an error there is nothing to release.
 */
int libxl__recover_reserve(libxl__ao *parent, libxl__nested *recovery);

/*
 * Starts the recovery: log-dirty mode ends, a suspended guest runs again, and the mark (save_mark.h) is removed.
 * `stage` is the stage of the save. `suspended`: the save has suspended the guest, or the guest can still suspend
 * itself. `follow_ms`: the longest time for which the recovery waits for a guest that has agreed to suspend itself;
 * 0: the guest has not agreed.
 */
void libxl__recover_start(libxl__nested *recovery, libxl__save_stage stage, bool suspended, int follow_ms);

/*
 * Starts a recovery that only changes the mark, and does not resume the guest. The mark gets this stage, and says
 * that the domain was given up. So the domain is listed as unfinished although this process continues to run. If
 * xenstored cannot be reached, this is tried again every second.
 */
void libxl__recover_give_up(libxl__nested *recovery, libxl__save_stage stage);
/* Returns whether the first attempt has ended: the mark was changed, or the attempt has failed. */
bool libxl__recover_has_tried(const libxl__nested *recovery);

/*
 * Call this from the parent's poll or undo. Returns LIBXL__AO_WAIT, or the recovery's result. If the recovery has
 * failed and will be tried again, returns the error. If the recovery waits for the guest to suspend itself, and
 * `waits` is false, returns GUEST_TIMEDOUT. In both cases the parent's message contains the reason, and the recovery
 * continues.
 */
int libxl__recover_poll(libxl__ao *parent, const libxl__nested *recovery, bool waits);

/* Returns whether an operation of the context other than `ao` saves or recovers this domain. */
bool libxl__is_claimed(const libxl__ao *ao);

#endif
