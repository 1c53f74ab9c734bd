//! The program with a real Kubernetes, which `cargo xtask long kubernetes` starts for it. One test after the other: they share
//! the cluster, and the project's name.

use std::time::Duration;

#[path = "main/between.rs"]
mod between;
#[path = "main/causes.rs"]
mod causes;
#[path = "main/delivering.rs"]
mod delivering;
#[path = "main/held.rs"]
mod held;
#[path = "main/killed.rs"]
mod killed;
#[path = "main/kinds.rs"]
mod kinds;
#[path = "main/place.rs"]
#[allow(dead_code, reason = "shared with the tests of the engine")]
mod place;
#[path = "main/plugins.rs"]
mod plugins;

#[test]
fn a_project_is_delivered_to_a_cluster_of_others() {
    let Some(place) = place::cluster("delivered") else { return };
    delivering::again(&place);
    delivering::rolling(&place, 1, Duration::from_secs(45));
    delivering::plans(&place);
    delivering::machines(&place);
    delivering::prunes(&place);
    plugins::tokens(&place);
    delivering::checked(&place);
    delivering::rejected(&place);
    delivering::leaves(&place);
}

#[test]
fn a_deploy_that_is_interrupted_or_killed_is_gone_on_with() {
    let Some(place) = place::cluster("killed") else { return };
    killed::at_writes(&place, killed::points(None));
    held::interrupted(&place);
    held::unchecked(&place);
    held::two_at_once(&place);
}

#[test]
fn every_cause_is_told_within_ten_seconds_of_its_first_sign_there_too() {
    let Some(place) = place::cluster("causes") else { return };
    causes::every_cause(&place);
}

#[test]
fn workloads_of_every_kind_are_followed_and_judged() {
    let Some(place) = place::cluster("kinds") else { return };
    kinds::every_kind(&place);
}
