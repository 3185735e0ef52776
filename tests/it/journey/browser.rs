//! The journey in a real browser.

use std::process::Command;

use super::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_creates_watches_and_deletes_a_store_in_the_portal() {
    let stack = Stack::paced("people").await;
    stack.register("person@example.com").await;
    let screenshot = stack.state().join("portal.png");
    let output = tokio::task::block_in_place(|| {
        Command::new("node")
            .arg("e2e/live/journey.live.mjs")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web"))
            .env("BASE_URL", stack.portal_url())
            .env("EMAIL", "person@example.com")
            .env("PASSWORD", "correct horse battery")
            .env("SCREENSHOT", &screenshot)
            .output()
            .expect("node runs")
    });
    assert!(
        output.status.success(),
        "{}\n{}\n--- platform\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        stack.log()
    );
    assert!(screenshot.is_file(), "the journey takes a picture");
}
