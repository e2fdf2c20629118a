// noble-kem - the ML-KEM-768 of @noble/post-quantum by lines of hexadecimal, as t/tools/kem.c has ours.
// Called by t/70-kem-independent.py, with NODE_PATH.
"use strict";
const readline = require("node:readline");
const { ml_kem768 } = require("@noble/post-quantum/ml-kem");

const hex = (octets) => Buffer.from(octets).toString("hex");

function answer(word, a, b) {
	if (word === "keygen") {
		const { publicKey, secretKey } = ml_kem768.keygen(a);
		return `${hex(publicKey)} ${hex(secretKey)}`;
	}
	if (word === "decaps")
		return hex(ml_kem768.decapsulate(b, a));
	const { cipherText, sharedSecret } = ml_kem768.encapsulate(a, b);
	return `${hex(cipherText)} ${hex(sharedSecret)}`;
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
	const [word, ...octets] = line.split(" ");
	const [a, b] = octets.map((text) => Uint8Array.from(Buffer.from(text, "hex")));
	process.stdout.write(answer(word, a, b) + "\n");
});
