//! Talks to the applet: a whole command in, data or a status word out.

use crate::backends::Applet;
use des::TdesEde3;
use des::cipher::{BlockEncrypt as _, KeyInit as _};
use heapless::Vec as Fixed;
use iso7816::Command;
use piv_card::apdu::Status;
use piv_card::tlv::{tlv, value};

/// Longer than any command or response of it.
const LONGEST: usize = 7609;
/// 01 02 … 08, three times, as 3DES: the applet's management key, which is never changed.
const FACTORY: [u8; 24] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const TDES: u8 = 0x03;

/// One command to the applet, in the long form, which has no parts.
pub fn ask(applet: &mut Applet<'_>, header: [u8; 3], data: &[u8]) -> Result<Vec<u8>, Status> {
    let [ins, p1, p2] = header;
    let length = u16::try_from(data.len()).map_err(|_| 0x6700_u16)?;
    let mut bytes = vec![0, ins, p1, p2];
    if length > 0 {
        bytes.push(0);
        bytes.extend(length.to_be_bytes());
        bytes.extend(data);
    }
    let command = Command::<LONGEST>::try_from(bytes.as_slice()).map_err(|_| 0x6700_u16)?;
    let mut answer: Fixed<u8, LONGEST> = Fixed::new();
    match applet.respond(command.as_view(), answer.as_mut_view()) {
        Ok(()) => Ok(answer.to_vec()),
        Err(status) => Err(status.into()),
    }
}

/// Shows the applet its management key.
pub fn administer(applet: &mut Applet<'_>) -> Result<(), Status> {
    let answer = ask(applet, [0x87, TDES, 0x9b], &tlv(0x7c, &tlv(0x81, &[])))?;
    let challenge = value(&answer, 0x7c).and_then(|template| value(template, 0x81)).ok_or(0x6f00_u16)?;
    let challenge: [u8; 8] = challenge.try_into().map_err(|_| 0x6f00_u16)?;
    let mut block = challenge.into();
    TdesEde3::new(&FACTORY.into()).encrypt_block(&mut block);
    ask(applet, [0x87, TDES, 0x9b], &tlv(0x7c, &tlv(0x82, &block))).map(|_| ())
}
