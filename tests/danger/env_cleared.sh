#!/bin/bash
# danger: exec chains, `sh -c 'exec prog'`, a changed and a cleared environment
# processes: 4
set -u
# shellcheck disable=SC2016,SC2086 # expanded inside; words
{
    $WRAP sh -c 'exec sh -c "exec sh -c \"echo chain\""'
    $WRAP sh -c 'exec env -i /bin/echo cleared'
    $WRAP sh -c 'SQUALL_CONF=mode:nonsense,large: exec /bin/echo changed' 2>/dev/null
    $WRAP sh -c 'unset SQUALL_DIR SQUALL_CONF; LD_PRELOAD= exec /bin/sh -c "echo \"[\$LD_PRELOAD]\""'
    $WRAP env PATH=/nowhere /bin/sh -c 'exec nonesuch' 2>/dev/null
    echo "status $?"
}
