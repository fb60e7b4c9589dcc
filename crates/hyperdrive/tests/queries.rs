//! Entries are found by patterns of paths and by what they are, in several drives and through mounts.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{drive_in, store};
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Drive, DriveError, Match, MatchKind, Mount, Query, SortBy};

async fn write(drive: &Drive, path: &str, attributes: &Attributes) {
    drive
        .write_file(path, path.to_owned(), attributes)
        .await
        .unwrap();
}

fn paths(matches: &[Match]) -> Vec<&str> {
    matches.iter().map(|found| &*found.path).collect()
}

async fn find(drive: &Drive, query: Query) -> Vec<String> {
    let matches = drive.query(&query).await.unwrap();
    matches.into_iter().map(|found| found.path).collect()
}

/// Two drives of notes and pictures, the second mounted in the first at `/friend`.
async fn two() -> [Drive; 2] {
    let store = store();
    let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
    let at = |time| Attributes::new().mtime(time).ctime(100 - time);
    for (path, time) in [("/notes/a.md", 3), ("/notes/B.MD", 1), ("/notes/.c.md", 2)] {
        write(&one, path, &at(time).metadata("lang", "en")).await;
    }
    write(&one, "/notes/sub/d.md", &at(4)).await;
    write(&one, "/pictures/a+b.png", &at(5)).await;
    write(&two, "/notes/e.md", &at(6).metadata("lang", "de")).await;
    let mount = Mount::drive(two.key());
    one.mount("/friend", mount, &Attributes::new())
        .await
        .unwrap();
    [one, two]
}

#[test]
fn patterns_fit_names_of_any_case_and_never_cross_a_slash() {
    block_on(async {
        let [one, _] = two().await;
        assert_eq!(find(&one, Query::new("/")).await, ["/"]);
        assert_eq!(
            find(&one, Query::new("*")).await,
            ["/friend", "/notes", "/pictures"]
        );
        let notes = ["/notes/.c.md", "/notes/B.MD", "/notes/a.md"];
        assert_eq!(find(&one, Query::new("/notes/*.md")).await, notes);
        assert_eq!(find(&one, Query::new("//notes/*.mD/")).await, notes);
        assert_eq!(find(&one, Query::new("/NOTES/*.md")).await, [""; 0]);
        assert_eq!(find(&one, Query::new("/N*/*.md")).await, notes);
        assert_eq!(find(&one, Query::new("/notes/a.md")).await, ["/notes/a.md"]);
        assert_eq!(
            find(&one, Query::new("/*/*/*.md")).await,
            ["/friend/notes/e.md", "/notes/sub/d.md"]
        );
        assert_eq!(
            find(&one, Query::new("/*/sub/d.md")).await,
            ["/notes/sub/d.md"]
        );
        // The other characters that mean something in other patterns mean themselves.
        assert_eq!(
            find(&one, Query::new("/pictures/*+b.png")).await,
            ["/pictures/a+b.png"]
        );
        assert_eq!(find(&one, Query::new("/pictures/*.pn.")).await, [""; 0]);
        assert_eq!(
            find(&one, Query::new("/notes/*a**.md*")).await,
            ["/notes/a.md"]
        );
        assert_eq!(find(&one, Query::new("/missing/*/x")).await, [""; 0]);
        let both = Query::new("/notes/a*").or_path("/notes/*.md");
        assert_eq!(
            find(&one, both).await,
            ["/notes/a.md", "/notes/.c.md", "/notes/B.MD"]
        );
    });
}

#[test]
fn filters_by_type_metadata_and_mount_come_before_paging() {
    block_on(async {
        let [one, two] = two().await;
        let all = || Query::new("/*").or_path("/*/*");
        let kinds = async |kind| find(&one, all().kind(kind)).await;
        assert_eq!(kinds(MatchKind::Mount).await, ["/friend"]);
        assert_eq!(
            kinds(MatchKind::Directory).await,
            ["/notes", "/pictures", "/friend/notes", "/notes/sub"]
        );
        assert_eq!(kinds(MatchKind::File).await.len(), 4);
        assert_eq!(find(&one, all().mount(two.key())).await, ["/friend"]);
        assert_eq!(find(&one, all().mount(one.key())).await, [""; 0]);
        let english = || Query::new("/*/*").metadata("lang", "en");
        assert_eq!(find(&one, english()).await.len(), 3);
        assert_eq!(find(&one, english().metadata("other", "x")).await, [""; 0]);
        assert_eq!(
            find(&one, english().offset(1).limit(1)).await,
            ["/notes/B.MD"]
        );
        assert_eq!(
            find(&one, english().offset(2).limit(5)).await,
            ["/notes/a.md"]
        );
        assert_eq!(find(&one, english().limit(0)).await.len(), 3);
        assert_eq!(find(&one, english().offset(9)).await, [""; 0]);
    });
}

#[test]
fn matches_are_sorted_by_name_or_time_and_turned_round() {
    block_on(async {
        let [one, _] = two().await;
        let notes = || Query::new("/notes/*.md");
        let by = async |by, reverse| find(&one, notes().sort(by).reverse(reverse)).await;
        let names = ["/notes/.c.md", "/notes/a.md", "/notes/B.MD"];
        assert_eq!(by(SortBy::Name, false).await, names);
        let times = ["/notes/B.MD", "/notes/.c.md", "/notes/a.md"];
        assert_eq!(by(SortBy::Mtime, false).await, times);
        let back: Vec<_> = times.into_iter().rev().collect();
        assert_eq!(by(SortBy::Mtime, true).await, back);
        assert_eq!(by(SortBy::Ctime, false).await, back);
        let unsorted = find(&one, notes().reverse(true).limit(1)).await;
        assert_eq!(unsorted, ["/notes/a.md"]);
    });
}

#[test]
fn a_match_says_where_it_was_found_and_which_drive_really_holds_it() {
    block_on(async {
        let [one, two] = two().await;
        let (a, b) = (one.key(), two.key());
        let found = one.query(&Query::new("/friend/notes/*")).await.unwrap();
        assert_eq!(
            found[0].link().to_string(),
            format!("hyper://{a}/friend/notes/e.md")
        );
        assert_eq!(
            found[0].origin_link().to_string(),
            format!("hyper://{b}/notes/e.md")
        );
        let mount = one.query(&Query::new("/friend")).await.unwrap();
        assert_eq!(mount[0].origin_link().to_string(), format!("hyper://{b}/"));
        let version = one.version();
        let then = one
            .checkout(version)
            .query(&Query::new("/notes/a.md"))
            .await
            .unwrap();
        assert_eq!(
            then[0].link().to_string(),
            format!("hyper://{a}+{version}/notes/a.md")
        );

        let drives = [one, two];
        let query = Query::new("/notes/*.md")
            .sort(SortBy::Mtime)
            .reverse(true)
            .limit(2);
        let all = Drive::query_all(&drives, &query).await.unwrap();
        assert_eq!(paths(&all), ["/notes/e.md", "/notes/a.md"]);
        assert_eq!(all[0].drive, (b, None));
        assert_eq!(Drive::query_all(&[], &query).await.unwrap(), []);
    });
}

#[test]
fn symlinks_named_in_a_pattern_are_followed_and_circles_end() {
    block_on(async {
        let [one, _] = two().await;
        let plain = Attributes::new();
        one.symlink("notes", "/link", &plain).await.unwrap();
        one.symlink("loop", "/loop", &plain).await.unwrap();
        one.mount("/self", Mount::drive(one.key()), &plain)
            .await
            .unwrap();
        assert_eq!(find(&one, Query::new("/link/a*")).await, ["/link/a.md"]);
        let origin = one.query(&Query::new("/link/a.md")).await.unwrap();
        assert_eq!(origin[0].origin_path, "/notes/a.md");
        assert_eq!(find(&one, Query::new("/loop/*")).await, [""; 0]);
        assert_eq!(find(&one, Query::new("/loop")).await, [""; 0]);
        assert_eq!(
            find(&one, Query::new("/s*/s*/self/notes/a.md")).await,
            ["/self/self/self/notes/a.md"]
        );
        let link = one.query(&Query::new("/l*k")).await.unwrap();
        assert_eq!(link[0].kind, MatchKind::File);
    });
}

/// A pattern over drives that mount each other looks at more and more entries.
#[test]
fn a_query_looks_at_as_many_entries_as_allowed_and_no_more() {
    block_on(async {
        const MOUNTS: usize = 41;
        const FILES: usize = 2438;
        let store = store();
        let drive = drive_in(&store, "1").await;
        let plain = Attributes::new();
        for index in 0..MOUNTS {
            let mount = Mount::drive(drive.key());
            drive
                .mount(&format!("/m{index}"), mount, &plain)
                .await
                .unwrap();
        }
        let mut batch = drive.batch().await.unwrap();
        for index in 0..FILES {
            batch
                .symlink("x", &format!("/d/{index}"), &plain)
                .await
                .unwrap();
        }
        batch.commit().await.unwrap();
        drop(batch);
        // The mounts and the folder, and the files in each of the mounts.
        assert_eq!(MOUNTS + 1 + MOUNTS * FILES, Drive::MAX_QUERIED);
        let query = Query::new("/m*/d/*").offset(3);
        let found = drive.query(&query).await.unwrap();
        assert_eq!(found.len(), MOUNTS * FILES - 3);
        drive.symlink("x", "/d/more", &plain).await.unwrap();
        let error = drive.query(&query).await.unwrap_err();
        let limit = Drive::MAX_QUERIED;
        assert!(
            matches!(error, DriveError::TooManyMatches { limit: l } if l == limit),
            "{error:?}"
        );
    });
}
