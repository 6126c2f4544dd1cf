/* Ids of the messages that an operator may have to act on.
 *
 * A line of the journal that tells one of them carries MESSAGE_ID= with the id and the fields named here; the catalog
 * in units/ says under the same id what happened, whether the data is safe and what to do (`journalctl -x`). A
 * contract test compares this list with the catalog. An id is never given a second meaning.
 */
#pragma once

#define MESSAGE_JOB_STARTED         "519412adbd4147e6b21623b34e8c94eb" /* JOB, SERVER, FROM, TO, METHOD */
#define MESSAGE_STEP_FAILED         "a14e43328df849729af77e44fec674d1" /* JOB, SERVER, STEP, CODE */
#define MESSAGE_UNDO_BEGUN          "36da8cd59f0b43bbaf2cbafe17de170e" /* JOB, SERVER, STEP */
#define MESSAGE_COMMITTED           "86ecf03ae7504bed87edae694a115551" /* JOB, SERVER, FROM, TO */
#define MESSAGE_JOB_FINISHED        "b5bd36b4469f4bfc8341b72a376fa1b3" /* JOB, SERVER, RESULT */
#define MESSAGE_NEEDS_ATTENTION     "7793e40fe92b499d84d264751057f0eb" /* JOB, SERVER, STEP, CODE */
#define MESSAGE_PORT_HELD           "3edd18be9d2b422884128af8b5a95387" /* SERVER, LIMIT_USEC */
#define MESSAGE_PORT_REFUSED        "0279842e7004434f84788193e0c6f44f" /* SERVER; the hold's deadline passed */
#define MESSAGE_CONFIRM_PASSED      "f09280a8420e4c9799395ae7a7c4720d" /* SERVER, FROM, TO */
#define MESSAGE_CONFIGURATION_WRONG "4b2e275c922b4dafa7da8244663c6850" /* SERVER or INSTANCE */
