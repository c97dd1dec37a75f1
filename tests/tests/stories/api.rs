//! REST and command line, on either database: each story is told what daemon to begin with.

use crate::rig::Plan;

pub mod access;
pub mod changes;
pub mod described;
pub mod events;
pub mod mistakes;
pub mod operations;
pub mod operators;
pub mod packets;
pub mod plans;

/// Calls a macro with every story of the API.
macro_rules! each_api_story {
    ($tell:ident) => {
        $tell! {
            access::every_endpoint_asks_who_you_are_and_lets_viewers_only_look,
            access::a_token_is_good_until_it_ends_and_over_restarts,
            changes::an_etag_keeps_two_people_from_overwriting_each_other,
            changes::of_many_writers_with_the_same_etag_one_wins,
            changes::what_others_need_cannot_be_deleted,
            changes::applying_the_same_again_changes_nothing,
            changes::a_killed_daemon_has_lost_nothing_that_was_acknowledged,
            changes::lists_come_in_pages_and_by_selector,
            changes::a_machine_takes_only_what_its_stage_allows,
            described::a_thing_is_described_with_who_uses_it_and_what_happened_to_it,
            events::a_follower_that_comes_back_misses_nothing_and_gets_nothing_twice,
            events::the_list_of_events_is_complete_and_in_order,
            mistakes::what_is_wrong_is_refused_with_file_line_and_column_and_nothing_is_applied,
            mistakes::every_refusal_is_a_problem_document,
            operations::an_apply_shows_how_far_it_is_and_is_called_off_by_ctrl_c,
            operators::a_rack_is_held_at_once_by_a_token_that_is_good_for_it,
            operators::who_changed_what_is_listed_and_the_log_is_whole,
            plans::a_plan_ends_with_2_where_something_changes_and_the_apply_of_it_goes_through,
            plans::everything_is_exported_and_applied_to_an_empty_daemon_and_exported_again,
            plans::an_older_revision_is_compared_and_comes_back,
            plans::a_viewer_may_plan_and_nothing_else,
            packets::a_capture_of_real_firmware_is_explained_packet_by_packet,
        }
    };
}
pub(crate) use each_api_story;

macro_rules! on_sqlite {
    ($($module:ident :: $story:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $story() -> anyhow::Result<()> {
            if crate::rig::skipped("api") {
                return Ok(());
            }
            super::$module::$story(crate::rig::Plan::new()?).await
        }
    )*};
}

mod sqlite {
    super::each_api_story!(on_sqlite);
}

pub type Begin = Plan;
