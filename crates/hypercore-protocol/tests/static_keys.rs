//! A seed leads to the static key that the reference's `keyPair(seed)` gives.

use hypercore_protocol::Secrets;

#[test]
fn seeds_lead_to_the_keys_of_the_reference() {
    // Of hypercore-protocol 8.0.7, for a seed of 32 sevens.
    let secret = "17cdc7bca3f2a0bda60c6de5b96f82a36239b44bde397a3862d529ba8b3d7c62";
    let public = "8db577f9b9c2744798987db557bf31ca48acd205a9db8c320e5d49f302a96474";
    let secrets = Secrets {
        static_key: Secrets::static_key_from_seed(&[7; 32]),
        ephemeral_key: [0; 32],
        nonce: [0; 24],
    };
    assert_eq!(hex::encode(secrets.static_key), secret);
    assert_eq!(hex::encode(secrets.public_key()), public);
}
