"""madem: train neural networks on memristor crossbars by activity differences.

One way through the house: data → network → relaxation → activity difference → pulses → chip.
Each arrow is a subpackage: `madem.data`, `madem.networks`, `madem.relaxation`,
`madem.learning`, `madem.chips` (with `madem.devices` and `madem.circuits` below it);
`madem.training` closes the loop, `madem.studies` asks the questions, `madem.report` shows the
answers. The method is that of Yi, Kendall, Williams and Kumar, Nature Electronics 6, 45–51
(2023), doi 10.1038/s41928-022-00869-w.
"""

__version__ = "0.1.0.dev0"
