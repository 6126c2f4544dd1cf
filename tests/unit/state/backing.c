/* What a commit says of the way back: by which method it came, whether it is confirmed, and when it
 * goes back by itself. */
#include "state/backing.h"
#include "state/boot.h"
#include "state/seal.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "scratch.h"

#include <string.h>
#include <unistd.h>

#define MINUTE (60 * USEC_PER_SEC)

static Backing *unconfirmed(guint64 within)
{
    Backing *backing = g_new0(Backing, 1);
    g_autofree char *runtime = path_runtime(".");

    g_mkdir_with_parents(runtime, 0755); /* tmpfiles does */
    backing->instance = g_strdup("tt70");
    backing->previous = g_strdup("tt60");
    backing->job = 7;
    backing->since = g_get_real_time();
    backing->method = g_strdup("online");
    backing->unconfirmed = TRUE;
    backing_set_deadline(backing, within);
    return backing;
}

/* As a boot leaves it: /run is empty. */
static void reboot(void)
{
    g_autofree char *path = path_runtime("boot");

    unlink(path);
}

static Backing *stored(const Backing *backing)
{
    g_autoptr(GError) error = NULL;
    Backing *loaded;

    g_assert_true(backing_commit("orders", backing, &error));
    loaded = backing_load("orders", &error);
    g_assert_no_error(error);
    return loaded;
}

/* What the cases differ by is more than any pause between two looks at a clock. */
static void assert_about(guint64 value, guint64 wanted)
{
    g_assert_cmpuint(value, <, wanted + 4 * MINUTE);
    g_assert_cmpuint(value, >, wanted - 4 * MINUTE);
}

static void all_of_it_comes_back(void)
{
    g_autoptr(Backing) backing = NULL, loaded = NULL;

    scratch_begin();
    backing = unconfirmed(30 * MINUTE);
    loaded = stored(backing);
    g_assert_cmpstr(backing_method(loaded), ==, "online");
    g_assert_true(loaded->unconfirmed);
    g_assert_cmpuint(loaded->confirm_by, ==, backing->confirm_by);
    g_assert_cmpuint(loaded->confirm_by_monotonic, ==, backing->confirm_by_monotonic);
    g_assert_nonnull(loaded->confirm_boot);
    g_assert_cmpstr(loaded->confirm_boot, ==, backing->confirm_boot);
    g_assert_cmpuint(loaded->confirmed_by, ==, 0);
    g_assert_cmpuint(backing_confirm_by(loaded), ==, backing->confirm_by);
}

static void a_file_of_the_release_before_is_offline_and_confirmed(void)
{
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Backing) loaded = NULL;

    scratch_begin();
    g_key_file_set_string(keys, "Backing", "Instance", "tt70");
    g_key_file_set_string(keys, "Backing", "Previous", "tt60");
    g_key_file_set_uint64(keys, "Backing", "Job", 3);
    g_key_file_set_uint64(keys, "Backing", "Since", 1700000000000000);
    text = sealed_text(keys);
    scratch_write("var/lib/timesten-upgrade/servers/orders", text);
    loaded = backing_load("orders", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(loaded->instance, ==, "tt70");
    g_assert_cmpstr(backing_method(loaded), ==, "offline");
    g_assert_false(loaded->unconfirmed);
    g_assert_cmpuint(backing_confirm_by(loaded), ==, 0);
    g_assert_true(backing_confirm_left(loaded) == USEC_NEVER);
}

static void a_confirmation_leaves_no_deadline(void)
{
    g_autoptr(Backing) backing = NULL, loaded = NULL;

    scratch_begin();
    backing = unconfirmed(30 * MINUTE);
    backing_confirm(backing, 9);
    loaded = stored(backing);
    g_assert_false(loaded->unconfirmed);
    g_assert_cmpuint(loaded->confirmed_by, ==, 9);
    g_assert_cmpuint(backing_confirm_by(loaded), ==, 0);
    g_assert_cmpstr(backing_method(loaded), ==, "online");
    g_assert_cmpstr(loaded->previous, ==, "tt60");
}

static void a_clock_that_is_set_changes_nothing_in_the_same_boot(void)
{
    g_autoptr(Backing) backing = NULL, loaded = NULL;

    scratch_begin();
    backing = unconfirmed(30 * MINUTE);
    /* An hour ahead when it was committed, and set right since. */
    backing->since += 60 * MINUTE;
    backing->confirm_by += 60 * MINUTE;
    loaded = stored(backing);
    assert_about(backing_confirm_left(loaded), 30 * MINUTE);
    assert_about(backing_confirm_by(loaded), g_get_real_time() + 30 * MINUTE);
    /* Two hours behind. */
    loaded->since -= 120 * MINUTE;
    loaded->confirm_by -= 120 * MINUTE;
    assert_about(backing_confirm_left(loaded), 30 * MINUTE);
    assert_about(backing_confirm_by(loaded), g_get_real_time() + 30 * MINUTE);
}

static void after_a_reboot_the_time_of_day_counts(void)
{
    g_autoptr(Backing) backing = NULL, loaded = NULL;
    g_autofree char *next = NULL;

    scratch_begin();
    backing = unconfirmed(30 * MINUTE);
    backing->since -= 20 * MINUTE;
    backing->confirm_by -= 20 * MINUTE;
    loaded = stored(backing);
    reboot();
    assert_about(backing_confirm_left(loaded), 10 * MINUTE); /* nobody has named the boot yet */
    next = boot_identity(NULL);
    assert_about(backing_confirm_left(loaded), 10 * MINUTE);
    loaded->since -= 20 * MINUTE;
    loaded->confirm_by -= 20 * MINUTE;
    g_assert_cmpuint(backing_confirm_left(loaded), ==, 0); /* passed while the host was down */
    g_assert_cmpuint(backing_confirm_by(loaded), ==, loaded->confirm_by);
}

/* A host that has lost its clock does not wait for years. */
static void after_a_reboot_never_more_is_left_than_was_given(void)
{
    g_autoptr(Backing) backing = NULL, loaded = NULL;

    scratch_begin();
    backing = unconfirmed(30 * MINUTE);
    backing->since += 1000000 * MINUTE;
    backing->confirm_by += 1000000 * MINUTE;
    loaded = stored(backing);
    reboot();
    assert_about(backing_confirm_left(loaded), 30 * MINUTE);
}

static void what_cannot_be_is_not_written(void)
{
    g_autoptr(Backing) alone = NULL, done = NULL;
    g_autoptr(GError) error = NULL;

    scratch_begin();
    alone = unconfirmed(0);
    g_clear_pointer(&alone->previous, g_free);
    g_assert_false(backing_commit("orders", alone, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    done = unconfirmed(30 * MINUTE);
    done->unconfirmed = FALSE;
    g_assert_false(backing_commit("orders", done, &error));
    g_assert_nonnull(error);
}

/* Whole, but nonsense: never taken for a way back that is there. */
static void what_cannot_be_is_told_as_damage(void)
{
    static const char *const keys_of_each[] = { "Unconfirmed=true\n",
                                                "Previous=tt60\nConfirmBy=5\n",
                                                "Previous=tt60/x\nUnconfirmed=true\n", NULL };

    scratch_begin();
    for (guint i = 0; keys_of_each[i]; i++) {
        g_autofree char *body = g_strconcat("[Backing]\nInstance=tt70\n", keys_of_each[i], NULL);
        g_autoptr(GKeyFile) keys = g_key_file_new();
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(Backing) loaded = NULL;

        g_assert_true(g_key_file_load_from_data(keys, body, strlen(body), 0, NULL));
        text = sealed_text(keys);
        scratch_write("var/lib/timesten-upgrade/servers/orders", text);
        loaded = backing_load("orders", &error);
        g_assert_null(loaded);
        g_assert_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
    }
}

static void damage_at_any_byte_is_told(void)
{
    g_autoptr(Backing) backing = NULL, whole = NULL;
    g_autofree char *path = NULL, *text = NULL;
    gsize length;

    scratch_begin();
    path = path_backing("orders");
    backing = unconfirmed(30 * MINUTE);
    whole = stored(backing);
    g_assert_true(g_file_get_contents(path, &text, &length, NULL));
    for (gsize at = 0; at < length; at++) {
        g_autofree char *broken = g_memdup2(text, length + 1);
        g_autoptr(GError) error = NULL;
        g_autoptr(Backing) loaded = NULL;

        broken[at] ^= 1;
        g_assert_true(g_file_set_contents(path, broken, length, NULL));
        loaded = backing_load("orders", &error);
        g_assert_null(loaded);
        g_assert_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
    }
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backing/all-of-it-comes-back", all_of_it_comes_back);
    g_test_add_func("/backing/a-file-of-the-release-before-is-offline-and-confirmed",
                    a_file_of_the_release_before_is_offline_and_confirmed);
    g_test_add_func("/backing/a-confirmation-leaves-no-deadline",
                    a_confirmation_leaves_no_deadline);
    g_test_add_func("/backing/a-clock-that-is-set-changes-nothing-in-the-same-boot",
                    a_clock_that_is_set_changes_nothing_in_the_same_boot);
    g_test_add_func("/backing/after-a-reboot-the-time-of-day-counts",
                    after_a_reboot_the_time_of_day_counts);
    g_test_add_func("/backing/after-a-reboot-never-more-is-left-than-was-given",
                    after_a_reboot_never_more_is_left_than_was_given);
    g_test_add_func("/backing/what-cannot-be-is-not-written", what_cannot_be_is_not_written);
    g_test_add_func("/backing/what-cannot-be-is-told-as-damage", what_cannot_be_is_told_as_damage);
    g_test_add_func("/backing/damage-at-any-byte-is-told", damage_at_any_byte_is_told);
    status = g_test_run();
    scratch_end();
    return status;
}
