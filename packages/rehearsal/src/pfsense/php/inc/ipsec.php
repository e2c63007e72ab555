<?php
// Nothing of it is emulated; pages of pfSense load it all the same.
