//! Every disturbance of every step and every undo of the toy flow ends as an undisturbed run does.

use northstack::workflow::testing::{Bench, Disturbance, disturb, disturb_undo, table, undisturbed, undo_table};
use serde_json::json;

use super::toy::Toy;

#[tokio::test(flavor = "multi_thread")]
async fn every_disturbance_ends_the_same() {
    let worlds = [Toy::new().await, Toy::new().await];
    let [toy, _] = &worlds;
    let expected = undisturbed(toy).await;
    assert_eq!(expected["objects"], json!([{ "label": "fragile", "made": 1 }]));
    let matrix = disturb(&worlds, &Disturbance::ALL, &expected).await;
    assert_eq!(matrix.len(), 4 * Disturbance::ALL.len());
    let undone = disturb_undo(&worlds).await;
    assert_eq!(undone.len(), Disturbance::UNDO.len(), "one step has an undo");
    let text = table(&toy.flow(), &matrix) + &undo_table(&toy.flow(), &undone);
    assert!(!text.contains("not tested"), "{text}");
}
