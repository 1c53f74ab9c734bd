//! What a pod writes to disk.

use super::*;

#[test]
fn only_pods_with_a_limit_are_looked_at_and_the_one_over_it_is_evicted() {
    let mut free = Sim::new(json!({"containers": [{"name": "c", "image": "i"}], "volumes": [
        {"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]}));
    free.ready_sandbox();
    free.started("c");
    assert_eq!(free.state.wake, None, "nothing wakes an idle pod");
    for spec in [
        json!({"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "a", "emptyDir": {"sizeLimit": "1Mi"}}]}),
        json!({"containers": [{"name": "c", "image": "i", "resources": {"limits": {"ephemeral-storage": "1Mi"}}}]}),
    ] {
        let mut sim = Sim::new(spec);
        sim.ready_sandbox();
        sim.started("c");
        sim.take();
        sim.pass(9_999);
        assert_eq!(sim.take(), []);
        sim.pass(1);
        assert_eq!(sim.take(), [PodAction::Measure { running: vec![("c".into(), 0)] }]);
        sim.pass(60_000);
        assert_eq!(sim.take(), [], "one at a time");
        sim.tell(&[News::Measured { took: Duration::from_secs(2), over: None }]);
        sim.pass(39_999);
        assert_eq!(sim.take(), [], "a look that takes long is taken rarely");
        sim.pass(1);
        assert_eq!(sim.take().len(), 1);
        sim.tell(&[News::Measured { took: Duration::ZERO, over: Some("too much".into()) }]);
        assert_eq!(sim.state.failure, Some(("Evicted".into(), "too much".into())));
        assert!(sim.state.ending.is_some() && sim.events.contains(&"Evicted".to_owned()));
    }
}
