//! Prints the parts of the link given as argument.
//!
//! `cargo run -p hyperdrive-url --example take_apart -- hyper://…`

use hyperdrive_url::{Link, LinkError};

fn main() -> Result<(), LinkError> {
    let link = Link::parse(&std::env::args().nth(1).unwrap_or_default())?;
    println!("link     {link}");
    println!(
        "version  {}",
        link.version()
            .map_or("newest".into(), |version| version.to_string())
    );
    println!("path     {}", link.path());
    Ok(())
}
