//! Who is connected, and how fast, stands beside the progress.

mod common;

use common::{Place, Proxy, noise, write};

#[test]
fn share_tells_whom_it_serves() {
    let place = Place::new();
    write(&place.folder("source"), "big", noise(1, 3_000_000));
    let mut sharing = place.share("author", "source");
    let args = [
        "clone",
        &sharing.link,
        "copy",
        "--live",
        "--peer",
        &sharing.address,
    ];
    let cloning = place.start("reader", &args);
    let line = sharing.process.stderr_after("serving ");
    assert!(line.starts_with("1 peer, "), "{line}");
    assert!(
        line.contains("/s in, ") && line.ends_with("/s out"),
        "{line}"
    );
    cloning.interrupt();
    cloning.end();
    let line = sharing.process.stderr_after("serving ");
    assert!(line.starts_with("0 peers, "), "{line}");
}

#[test]
fn clone_tells_who_sends() {
    let place = Place::new();
    write(&place.folder("source"), "big", noise(1, 3_000_000));
    let sharing = place.share("author", "source");
    // Slow enough that there is something to tell.
    let slow = Proxy::throttled(&sharing.address, 400_000);
    let args = ["clone", &sharing.link, "copy", "--peer", &slow.address];
    let mut cloning = place.start("reader", &args);
    let line = cloning.stderr_after("fetching ");
    assert!(
        line.contains(" 1 peer, ") && line.ends_with("/s out"),
        "{line}"
    );
    cloning.end().expect(0);
}

#[test]
fn five_throttled_seeders_share_the_work() {
    const EACH: u64 = 1_000_000;
    let place = Place::new();
    let content = noise(1, 20_000_000);
    write(&place.folder("source"), "big", &content);
    let sharing = place.share("author", "source");
    let mut args = vec!["seed".to_owned(), sharing.link.clone()];
    args.extend(["--listen", "127.0.0.1:0", "--peer"].map(str::to_owned));
    args.push(sharing.address.clone());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut seeds: Vec<_> = (0..4)
        .map(|number| place.start(&format!("seed{number}"), &args))
        .collect();
    let mut proxies = vec![Proxy::throttled(&sharing.address, EACH)];
    for seed in &mut seeds {
        let address = seed.address();
        seed.stderr_with("complete at version");
        proxies.push(Proxy::throttled(&address, EACH));
    }
    let mut args = vec!["clone", &sharing.link, "copy"];
    for proxy in &proxies {
        args.extend(["--peer", &proxy.address]);
    }
    let started = std::time::Instant::now();
    place.run("reader", &args).expect(0);
    let took = started.elapsed().as_secs_f64();
    assert!(std::fs::read(place.path("copy/big")).unwrap() == content);
    let sent: Vec<u64> = proxies.iter().map(Proxy::sent).collect();
    // The share of the sum depends on the machine and is only told; that all of them work does not.
    let sum = 5.0 * EACH as f64;
    let share = content.len() as f64 / took / sum;
    println!("{:.1} % of the sum, {sent:?} bytes", share * 100.0);
    for bytes in sent {
        assert!(bytes > content.len() as u64 / 10, "{bytes}");
    }
}
