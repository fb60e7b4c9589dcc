//! Two processes cannot hold one storage.

mod common;

use common::{Place, sample, write};

#[test]
fn share_and_seed_name_the_process_that_holds_the_storage() {
    let place = Place::new();
    sample(&place.folder("source"));
    write(&place.folder("other"), "a", "a");
    let sharing = place.share("storage", "source");
    let pid = format!("process {}", sharing.process.pid());
    place
        .run("storage", &["share", "other"])
        .expect(11)
        .tells(&pid);
    place
        .run("storage", &["seed", &sharing.link])
        .expect(11)
        .tells(&pid);
}

#[test]
fn the_storage_is_free_again_afterwards() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("storage", "source");
    sharing.process.kill();
    place.share("storage", "source");
}
