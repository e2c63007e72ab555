<?php
// Nothing of it is needed by what is emulated.
