//! Every disturbance of every step of the toy flow ends as an undisturbed run does.

use northstack::workflow::testing::{Bench, Disturbance, disturb, table, undisturbed};
use serde_json::json;

use super::toy::Toy;

#[tokio::test(flavor = "multi_thread")]
async fn every_disturbance_ends_the_same() {
    let toy = Toy::new().await;
    let expected = undisturbed(&toy).await;
    assert_eq!(expected["objects"], json!([{ "label": "fragile", "made": 1 }]));
    let matrix = disturb(&toy, &Disturbance::ALL, &expected).await;
    assert_eq!(matrix.len(), 4 * Disturbance::ALL.len());
    let text = table(&toy.flow(), &matrix);
    assert!(!text.contains("not tested"), "{text}");
}
