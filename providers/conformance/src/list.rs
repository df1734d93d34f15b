//! The list of all checks, written once: from it come [`checks`] and the tests of
//! [`conformance_suite!`]. A check that is not in it is dead code, which the compiler tells.

use crate::groups;
use crate::run::Check;

/// Hands the list of checks to a macro, behind what is to go before it.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_check {
    ([$($then:tt)*] $($with:tt)*) => {
        $($then)* ! {
            [$($with)*]
            activities {
                an_activity_has_one_worker
                an_activity_says_all_that_was_scheduled
                activities_are_leased_oldest_first
                activities_of_older_commits_come_first
                an_expired_activity_is_taken_over
                an_expired_activity_nobody_took_over_completes
                an_expired_activity_nobody_took_over_is_renewed
                a_renewed_activity_outlives_its_first_deadline
                a_renewal_after_the_completion_does_not_say_held
                an_unknown_lease_completes_nothing
                an_activity_of_a_waiting_instance_needs_no_holder
                a_held_activity_blocks_no_other
            }
            atomicity {
                a_commit_lands_whole
                a_refused_commit_changes_nothing
                a_refused_commit_keeps_lease_and_mail
                one_lost_activity_refuses_the_whole_commit
                a_completion_removes_the_activity_and_brings_its_message
                a_failure_arrives_as_it_was_sent
                a_fused_completion_leaves_no_activity_and_no_message
                an_activity_completed_on_its_own_cannot_be_fused
            }
            attempts {
                the_first_attempt_of_an_instance_is_one
                a_take_over_of_an_instance_counts
                a_release_without_refund_counts
                a_refund_gives_the_attempt_back
                an_applied_commit_sets_the_attempts_back
                a_refused_commit_does_not_set_the_attempts_back
                mail_for_the_holder_counts_no_attempt
                new_mail_does_not_set_the_attempts_back
                attempts_are_counted_per_instance
                the_first_attempt_of_an_activity_is_one
                a_take_over_of_an_activity_counts
                a_released_activity_counts_unless_refunded
                attempts_are_counted_per_activity
                a_claim_counts_an_attempt
                an_attempt_of_an_activity_is_not_the_instance_s
            }
            cancellation {
                a_cancel_arrives_and_ends_nothing_by_itself
                a_second_cancel_is_a_message_of_its_own
                a_cancel_before_the_first_turn_comes_after_the_start
                a_termination_is_for_every_node
                a_termination_before_the_first_turn_is_for_every_node
                a_termination_of_a_held_instance_goes_to_its_holder
                a_cancelled_activity_is_never_leased
                a_cancelled_activity_tells_its_worker_to_stop
                a_cancelled_activity_completes_nothing
                a_cancelled_activity_cannot_be_fused
                a_cancelled_activity_never_comes_back
                cancelling_an_activity_leaves_the_others
                cancelling_an_activity_leaves_other_instances
                cancelling_an_activity_that_is_done_is_harmless
                the_end_cancels_open_activities
                every_kind_of_end_cancels_open_activities
            }
            children {
                a_child_exists_with_its_parent_s_commit
                a_child_s_start_names_who_waits
                a_child_runs_the_version_it_was_started_with
                an_id_in_use_is_a_refusal_in_the_parent_s_mail
                a_refused_child_makes_its_parent_ready
                the_end_of_an_unrelated_instance_tells_nobody
                a_detached_start_has_no_parent
                a_detached_start_of_an_id_in_use_is_left_alone
                a_parent_is_told_of_every_kind_of_end
                an_ended_child_makes_its_waiting_parent_ready
                a_parent_is_told_only_at_the_final_end
                the_next_execution_of_a_child_knows_its_parent
                an_end_for_a_former_execution_is_dropped
                an_end_for_an_ended_parent_is_dropped
                a_parent_s_cancel_reaches_its_child
                a_parent_s_terminate_reaches_its_child
                a_message_to_an_ended_child_is_dropped
                a_message_for_another_child_of_that_id_is_dropped
                a_message_to_an_instance_that_is_no_child_is_dropped
                the_end_of_a_parent_cancels_its_children
                the_next_execution_of_a_parent_cancels_its_children
                a_commit_that_ends_the_parent_still_tells_its_children
                a_commit_that_continues_the_parent_still_tells_its_children
                one_event_tells_several_children
                a_message_of_a_later_execution_is_dropped
                a_detached_start_survives_the_end_of_who_started_it
                a_child_is_created_by_the_commit_that_ends_its_starter
            }
            claims {
                a_claim_holds_what_the_commit_schedules
                without_a_claim_nothing_is_claimed
                permits_bound_a_claim_and_the_rest_is_for_others
                no_permits_claim_nothing
                older_work_of_the_kind_comes_before_a_claim
                older_work_for_others_does_not_hinder_a_claim
                older_work_that_is_held_does_not_hinder_a_claim
                a_claim_takes_only_names_the_node_runs
                a_claim_takes_only_tags_of_the_node
                a_claim_that_expires_is_taken_over
                a_step_is_one_commit_and_no_fetch
                a_refused_commit_claims_nothing
            }
            clock {
                every_answer_has_a_time_that_is_not_earlier
                time_passes
                an_arrival_is_stamped_between_its_neighbours
                a_wall_clock_set_back_hands_out_no_earlier_time
                a_wall_clock_set_back_stalls_no_timer_and_no_lease
            }
            concurrency {
                many_nodes_lease_each_instance_once
                many_workers_lease_each_activity_once
                of_many_commits_on_one_base_one_is_applied
                the_same_commit_many_times_is_applied_once
                commits_of_many_instances_do_not_disturb_each_other
                of_many_starts_of_one_id_one_creates
                many_events_at_once_all_arrive_once
                of_many_completions_of_one_activity_one_counts
                mail_during_commits_is_never_lost
                two_instances_starting_each_other_s_children_do_not_block
            }
            corruption {
                an_undecodable_history_is_told_apart
                an_undecodable_history_can_be_terminated
                undecodable_mail_blocks_no_other_instance
                an_undecodable_activity_blocks_no_other
            }
            deletion {
                an_ended_instance_is_deleted_whole
                a_running_instance_is_deleted_only_by_force
                an_instance_between_two_executions_runs
                an_unknown_instance_is_not_found
                a_child_is_deleted_only_through_its_root
                a_root_is_deleted_with_everything_below_it
                deletion_takes_work_and_timers_along
                a_late_completion_of_a_deleted_instance_is_gone
                a_deleted_id_is_used_again_by_another_incarnation
                nothing_late_reaches_the_next_incarnation
                a_bulk_deletion_takes_ended_roots_only
                a_bulk_deletion_keeps_to_the_ids_given
                a_bulk_deletion_of_no_ids_deletes_nothing
                a_bulk_deletion_keeps_to_its_limit
                a_bulk_deletion_keeps_to_its_time
                a_bulk_deletion_takes_children_along
            }
            durability {
                an_acknowledged_start_survives
                an_applied_commit_survives
                an_applied_commit_is_known_after_a_restart
                a_request_is_known_after_a_restart
                a_timer_survives
                a_completion_survives
                unread_mail_survives
                a_split_turn_survives
                time_goes_on_after_a_restart
                a_wall_clock_set_back_before_a_restart_hands_out_no_earlier_time
                incarnations_are_not_used_again_after_a_restart
            }
            executions {
                the_next_execution_starts_in_the_same_commit
                the_next_execution_may_stay_with_the_holder
                executions_are_numbered_one_by_one
                each_execution_keeps_its_own_history
                between_two_executions_the_instance_runs
                unseen_mail_is_carried_over_behind_the_start
                unread_mail_is_carried_over
                a_consumed_message_is_not_carried_over
                a_pending_cancel_is_carried_over
                status_is_carried_over_and_its_version_goes_on
                keys_are_carried_over
                timers_are_not_carried_over
                a_due_timer_is_not_carried_over
                open_activities_are_cancelled_by_the_next_execution
                an_unread_completion_is_not_carried_over
                a_commit_for_the_former_execution_is_refused
                the_next_execution_is_latest_unless_named
                the_incarnation_stays
            }
            inbox {
                mail_arrives_in_the_order_it_was_acknowledged
                of_two_arrivals_the_earlier_has_the_smaller_time_and_id
                mail_before_the_first_turn_is_kept_behind_the_start
                readiness_is_cleared_for_exactly_the_ids_consumed
                readiness_is_cleared_for_exactly_the_ids_seen
                unadmitted_arrivals_keep_the_instance_ready
                unadmitted_arrivals_come_back_with_the_commit
                mail_that_came_during_a_turn_comes_back_with_its_commit
                a_split_turn_keeps_the_instance_ready
                a_split_turn_survives_the_death_of_its_node
                seen_mail_no_longer_makes_ready
                seen_mail_is_unread_in_its_order
                unseen_mail_is_not_unread
                seen_mail_is_taken_by_a_later_turn
                new_mail_makes_ready_without_the_seen
                consumed_mail_never_comes_again
                unread_mail_is_read_in_windows
                a_window_that_just_fits_has_no_more
                mailboxes_do_not_mix
                many_unread_of_one_name_hide_no_other_name
                a_long_inbox_is_drained_whole_and_in_order
            }
            kv {
                a_key_is_set_and_overwritten
                a_key_is_cleared
                every_key_is_cleared
                changes_are_made_in_their_order
                keys_are_given_in_their_order
                instances_have_keys_of_their_own
                a_base_hides_what_this_execution_wrote
                a_first_execution_has_an_empty_base
                a_base_hides_a_clear_of_all_of_this_execution
                a_base_unites_all_earlier_executions
                a_key_keeps_the_time_of_its_writing
                values_may_be_empty_and_large_and_odd
                keys_stay_after_the_end
                an_unknown_instance_has_no_keys
            }
            leases {
                an_instance_has_one_holder
                holding_one_instance_leaves_others_free
                no_more_are_leased_than_asked_for
                the_longest_ready_is_leased_first
                an_expired_lease_is_taken_over
                a_commit_after_take_over_is_refused
                a_commit_after_take_over_and_commit_is_refused
                an_expired_lease_nobody_took_over_still_commits
                an_expired_lease_without_work_makes_nothing_ready
                an_expired_lease_with_new_mail_is_taken_over
                a_renewed_lease_outlives_its_first_deadline
                an_expired_lease_nobody_took_over_is_renewed
                a_renewal_after_take_over_says_lost
                renewals_are_answered_each_and_in_order
                new_mail_for_a_held_instance_goes_to_its_holder
                mail_given_to_the_holder_is_not_given_again
                an_instance_without_new_mail_is_not_given_to_its_holder
                a_commit_that_keeps_the_lease_keeps_others_away
                a_commit_that_does_not_keep_the_lease_releases_it
                an_ended_instance_is_held_by_nobody
                reads_need_the_lease
                a_holder_reads_the_history_it_committed
                history_is_read_in_pages_without_gaps
            }
            limits {
                the_limits_are_told
                an_id_has_its_limit
                a_name_has_its_limit
                a_mailbox_name_has_its_limit
                a_payload_has_its_limit
                a_refused_request_stalls_nothing
                a_large_payload_comes_back_whole
                asking_for_nothing_gives_nothing
                what_was_never_held_is_lost_or_gone
                a_closed_store_is_unusable
                closing_wakes_who_waits
                closing_again_does_not_hang
                an_error_names_its_method
            }
            pruning {
                the_newest_are_kept
                the_current_execution_is_never_pruned
                pruning_keeps_to_its_time
                both_conditions_must_hold
                pruning_keeps_the_keys
                pruning_many_takes_running_chains_too
                pruning_an_unknown_instance_does_nothing
            }
            reads {
                what_does_not_exist_reads_as_nothing
                each_kind_of_end_is_read_as_it_was
                an_execution_is_described
                a_history_is_read_as_it_was_committed
                ids_are_listed_in_order_and_in_pages
                ids_are_listed_by_status
                ids_are_listed_per_namespace
                a_tree_is_read_from_any_of_its_members
                sizes_of_an_instance_are_counted
                sizes_are_of_the_current_execution
                unread_mail_stays_pending_over_continue_as_new
                the_store_is_counted
                what_waits_is_counted
                a_revision_changes_with_state_execution_and_status
                a_watch_sees_the_end
                a_watch_sees_a_status
                a_watch_sees_a_value
                a_watch_of_what_changed_before_is_answered_at_once
                a_watch_sees_an_instance_come
                a_watch_ends_after_its_time
            }
            refusals {
                an_unknown_instance_is_gone
                another_execution_is_gone
                an_ended_instance_is_gone
                another_base_is_a_conflict
                a_base_before_the_first_commit_is_a_conflict
                another_next_event_is_a_conflict
                another_lease_is_lost
                the_lease_of_another_instance_is_lost
                an_instance_nobody_holds_takes_no_commit
                an_applied_commit_is_known_before_all_else
                gone_comes_before_conflict
                conflict_comes_before_a_lost_lease
                a_lost_lease_comes_before_a_lost_activity
                an_expired_activity_nobody_took_over_is_fused
                an_activity_taken_over_is_lost
                a_deleted_instance_is_gone
            }
            release {
                a_released_instance_is_ready_at_once
                a_commit_after_release_is_refused
                release_touches_only_what_it_names
                a_release_under_another_lease_frees_nothing
                a_delayed_release_hides_the_instance_until_then
                a_delayed_instance_loses_no_mail
                a_released_activity_is_leased_at_once
                a_released_activity_is_lost_to_its_worker
                a_delayed_activity_is_hidden_until_then
                instances_and_activities_are_released_together
                a_commit_given_up_is_never_applied
                giving_up_an_applied_commit_releases_its_claims
                giving_up_an_applied_commit_releases_the_instance
                giving_up_an_old_commit_leaves_the_next_holder_alone
            }
            retries {
                a_repeated_lease_gives_the_same_instances
                a_repeated_lease_that_gave_nothing_may_be_asked_again
                a_repeated_lease_gives_the_same_activities
                a_repeated_commit_is_applied_once
                a_repeated_commit_gives_the_same_claims
                a_repeated_commit_gives_the_same_timer_stamps
                a_repeated_commit_gives_what_has_arrived_by_now
                a_repeated_commit_is_known_though_another_holds_the_instance
                a_repeated_commit_with_a_fused_completion_is_applied
                a_repeated_final_commit_tells_the_parent_once
                a_repeated_commit_refuses_a_child_once
                a_repeated_continue_as_new_makes_one_execution
                a_repeated_completion_is_gone_and_arrives_once
                a_repeated_start_answers_created
                a_repeated_start_answers_created_after_the_end
                a_repeated_event_arrives_once
                a_repeated_event_arrives_once_though_it_was_taken
                two_requests_with_the_same_content_are_two
                a_repeated_cancel_arrives_once
                a_repeated_terminate_arrives_once
                a_repeated_release_does_not_touch_the_next_holder
                a_repeated_refund_counts_once
                a_repeated_renewal_says_held_again
            }
            routing {
                default_only_takes_what_has_no_tag
                any_takes_every_tag
                none_takes_nothing
                named_tags_take_only_those
                several_tags_are_taken_together
                default_and_takes_both
                a_tag_is_given_with_the_activity
                a_tag_stays_after_a_release
                a_node_gets_only_names_it_runs
                work_for_others_blocks_nobody
            }
            sessions {
                a_session_belongs_to_the_node_that_took_it_first
                a_session_stays_with_its_node_between_activities
                sessions_go_to_different_nodes
                a_node_owns_no_more_sessions_than_its_limit
                a_full_node_still_gets_what_its_sessions_bring
                a_node_without_sessions_gets_plain_activities
                plain_activities_go_to_every_node
                an_idle_session_moves
                a_session_that_may_not_idle_is_free_when_its_work_ends
                a_session_keeps_the_longest_idle_time_its_node_asked_for
                a_session_does_not_move_while_its_activity_runs
                a_newer_run_of_a_node_takes_its_sessions
                a_released_activity_stays_in_its_session
                an_expired_activity_goes_back_to_the_node_of_its_session
                activities_of_a_session_are_leased_oldest_first
                instances_share_a_session_by_its_name
                a_session_outlives_the_execution
                a_claim_takes_the_session
                a_claim_respects_the_session_s_node
                a_session_is_claimed_by_one_of_many
            }
            sharing {
                what_one_writes_the_other_reads
                a_lease_of_one_keeps_the_other_away
                a_request_is_applied_once_over_both
                work_from_one_wakes_the_other
                the_end_in_one_is_watched_by_the_other
                both_lease_each_instance_once
                a_commit_of_one_is_fenced_by_the_other
            }
            starts {
                an_instance_exists_once_its_start_is_acknowledged
                a_start_arrives_as_it_was_sent
                a_new_instance_is_leased_at_its_beginning
                a_lease_says_where_the_instance_stands
                a_second_start_changes_nothing
                a_start_of_a_waiting_instance_changes_nothing
                a_start_of_an_ended_instance_changes_nothing
                a_start_between_two_executions_changes_nothing
                a_message_for_nobody_says_so_and_stalls_nothing
                a_message_for_nobody_is_not_kept_for_a_later_start
                a_message_for_an_ended_instance_has_no_effect
                an_id_is_free_in_each_namespace
                ids_and_names_are_opaque_text
                payloads_are_opaque_bytes
                json_text_is_kept_to_the_letter
            }
            status {
                a_new_instance_has_no_status
                a_status_is_set_by_its_commit
                a_reset_clears_the_status_and_raises_its_version
                a_commit_without_status_leaves_it
                the_same_status_again_raises_its_version
                a_refused_commit_leaves_the_status
                the_status_stays_after_the_end
                a_base_has_the_status_as_of_the_execution_s_start
            }
            timers {
                a_timer_is_not_early
                a_due_timer_makes_its_instance_ready
                a_timer_without_delay_is_due_at_once
                a_stamp_is_the_time_of_the_commit_plus_the_delay
                a_timer_arrives_with_its_due_time
                timers_arrive_in_the_order_they_are_due
                timers_and_mail_arrive_in_the_order_of_their_times
                mail_before_a_timer_is_due_comes_before_it
                a_consumed_timer_fires_once
                a_due_timer_waits_until_it_is_consumed
                a_cancelled_timer_does_not_fire
                cancelling_a_timer_leaves_the_others
                a_due_timer_of_a_held_instance_goes_to_its_holder
                a_commit_gives_the_timers_due_by_now
                the_end_removes_timers
                a_timer_may_be_a_century_away
                many_far_timers_hide_no_near_one
            }
            unclaimed {
                a_first_turn_is_unclaimed_until_it_is_leased
                a_later_turn_is_unclaimed_when_something_has_arrived
                an_activity_is_unclaimed_until_it_is_leased
                an_activity_that_was_claimed_is_not_unclaimed
                tag_and_session_of_what_waits_are_told
                the_longest_waiting_work_is_told_with_its_age
                a_lease_that_ran_out_leaves_its_work_unclaimed
                what_waits_for_its_time_is_not_unclaimed
                the_end_leaves_nothing_unclaimed
                names_of_ready_instances_are_told_with_their_oldest
                names_of_queued_activities_are_told_with_their_oldest
                a_name_of_which_one_is_held_is_left_out
                what_may_wait_for_its_turn_is_left_out
                a_lost_attempt_is_told_since_its_lease_ran_out
                what_one_node_passed_over_may_come_to_another
                what_may_wait_for_room_for_its_session_is_left_out
                a_leased_activity_says_since_when_it_could_be
            }
            versions {
                a_node_gets_only_orchestrations_it_runs
                an_instance_for_others_blocks_nobody
                what_a_filter_skips_stays_free
                a_node_without_orchestrations_gets_none
                latest_goes_to_every_version_until_it_is_resolved
                the_version_of_the_first_turn_is_kept
                a_version_asked_for_needs_a_node_that_runs_it
                a_node_that_lost_the_version_may_not_take_over
                unknown_flags_keep_a_node_away
                a_turn_may_add_a_flag
            }
            waiting {
                before_the_first_commit_there_is_no_phrase
                the_phrase_is_that_of_the_latest_commit
                every_kind_of_end_takes_the_phrase_away
                the_next_execution_waits_on_its_own
                a_refused_commit_leaves_the_phrase
                mail_and_leases_leave_the_phrase
                the_phrase_survives_a_restart
            }
            wakeups {
                what_happened_before_the_wait_is_not_missed
                a_wait_goes_on_from_what_the_last_one_gave
                a_start_wakes
                an_event_wakes
                a_due_timer_wakes
                an_activity_queued_by_another_node_wakes
                a_completion_wakes
                mail_for_a_held_instance_wakes_its_holder
                a_due_timer_of_a_held_instance_wakes_its_holder
                the_cancel_of_a_held_activity_wakes_its_worker
                the_end_of_an_instance_wakes_who_runs_its_activity
                a_release_wakes
                a_released_activity_wakes
                the_end_of_a_delay_wakes
                a_terminate_wakes
                a_child_s_end_wakes_its_parent_s_node
                every_waiting_node_is_woken
                a_wait_without_work_ends_after_its_time
                a_dropped_wait_disturbs_nobody
            }
        }
    };
}

/// One `#[test]` per check, in a module per group. The factory's expression is evaluated
/// for each test, so that each has a store of its own. A check that needs an ability which
/// the factory has not passes as a test; [`run_all`](crate::run_all) tells it as skipped.
#[macro_export]
macro_rules! conformance_suite {
    ($factory:expr) => {
        $crate::__for_each_check! { [$crate::__conformance_tests] $factory }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$factory:expr] $($group:ident { $($name:ident)* })*) => {
        /// Where the macro stands, so that the expression means what it says there.
        fn conformance_factory() -> impl $crate::Factory {
            $factory
        }
        $(
            mod $group {
                $(
                    #[test]
                    fn $name() {
                        let factory = super::conformance_factory();
                        $crate::assert_check(factory, stringify!($group), stringify!($name));
                    }
                )*
            }
        )*
    };
}

macro_rules! check_list {
    ([] $($group:ident { $($name:ident)* })*) => {
        vec![$($(
            Check {
                group: stringify!($group),
                name: stringify!($name),
                run: |fixture| Box::pin(groups::$group::$name(fixture)),
            },
        )*)*]
    };
}

/// Every check, group by group.
pub fn checks() -> Vec<Check> {
    __for_each_check! { [check_list] }
}
