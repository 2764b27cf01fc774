"""Speakability: at which x, if any, is a token the argmax of an unembedding, with proof.

`questions` says what is asked and what proves an answer; `prove` answers for any tokens of a vocabulary; `checker`
checks proofs and knows nothing of how they were found; `own_direction` names the winner along each token's own row;
`sphere` asks whether a token wins on the ball's surface; `solid_angle` measures the region where a token wins.
"""
