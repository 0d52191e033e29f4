home-lead = Chaque expéditeur de ces listes est traité comme vous le décidez, pour vous seul. Entrez une adresse, puis choisissez ce que la console doit en faire.
home-field = Adresse ou domaine
home-field-hint = Par exemple maman@exemple.fr, ou exemple.fr pour toutes les adresses de ce domaine.
home-waiting-title = À confirmer
home-waiting-text = Ces entrées ont été ajoutées par quelqu’un d’autre que vous. Elles s’appliquent déjà : gardez-les ou retirez-les.
home-keep-all = Tout garder
home-privacy-strong = Vous seul lisez ces listes.
home-privacy = Aucun écran, journal ni commande de ce produit ne les montre à votre employeur ou à l’exploitant.

lists-personal-title = Expéditeurs personnels
lists-personal-lead = Les messages de ces expéditeurs sont marqués personnels. À votre départ ils pourront vous être remis ou être détruits, sans toucher aux messages professionnels.
lists-personal-what = Leurs messages sont marqués personnels.
lists-personal-button = Marquer personnel
lists-personal-empty = Ajoutez l’adresse d’un proche, de votre médecin, de votre banque : ses prochains messages seront marqués.
lists-blocked-title = Expéditeurs bloqués
lists-blocked-lead = Les messages de ces expéditeurs ne vous parviennent plus comme les autres. Un expéditeur refusé l’apprend ; les réglages permettent une action silencieuse.
lists-blocked-what = Leurs messages sont écartés.
lists-blocked-button = Bloquer
lists-blocked-empty = Ajoutez l’adresse ou le domaine d’un expéditeur dont vous ne voulez plus rien recevoir.
lists-accepted-title = Expéditeurs acceptés
lists-accepted-lead = Les messages de ces expéditeurs ne sont pas traités comme indésirables. Une adresse acceptée l’emporte sur un domaine bloqué.
lists-accepted-what = Leurs messages ne sont pas traités comme indésirables.
lists-accepted-button = Accepter
lists-accepted-empty = Ajoutez l’adresse ou le domaine d’un expéditeur dont les messages sont marqués indésirables à tort.

lists-figure = expéditeurs
lists-add = Ajouter
lists-keep = Garder
lists-edit = Modifier
lists-remove = Retirer
lists-remove-long = Retirer de la liste
lists-note = Note
lists-note-hint = Facultative ; vous seul la lisez.
lists-note-longest = Vous seul la lisez ; { $longest } caractères au plus. Videz le champ pour l’effacer.
lists-note-save = Enregistrer la note
lists-note-long = La note est trop longue : 200 caractères au plus. Raccourcissez-la.
lists-move = Déplacer vers
lists-move-button = Déplacer
lists-choose = Liste
lists-from-now-on = Les messages déjà reçus ne changent pas.
lists-paste-link = Coller plusieurs
lists-import-link = Importer
lists-export-link = Exporter
lists-journal-link = Changements et annulations
lists-unconfirmed = à confirmer
lists-lost = (illisible : entrée d’avant votre nouvelle clé)
lists-altered = (altérée dans la base)

lists-scope-address = Cette adresse seulement
lists-scope-domain = Toutes les adresses de ce domaine, sans ses sous-domaines
lists-scope-subdomains = Toutes les adresses de ce domaine et de ses sous-domaines
lists-scope-glob = Toutes les adresses de cette forme
lists-origin-user = par vous
lists-origin-administrator = par un administrateur
lists-origin-import = depuis un fichier

lists-added-personal = { $value } est maintenant un expéditeur personnel. Les messages déjà reçus ne changent pas.
lists-added-blocked = { $value } est maintenant bloqué. Les messages déjà reçus ne changent pas.
lists-added-accepted = { $value } est maintenant accepté. Les messages déjà reçus ne changent pas.
lists-added-several =
    { $count ->
        [0] Rien n’a été ajouté.
        [one] Un expéditeur est maintenant dans vos listes. Les messages déjà reçus ne changent pas.
       *[other] { $count } expéditeurs sont maintenant dans vos listes. Les messages déjà reçus ne changent pas.
    } { $there ->
        [0] {""}
        [one] Un autre y était déjà.
       *[other] { $there } autres y étaient déjà.
    }
lists-there-personal = { $value } était déjà un expéditeur personnel.
lists-there-blocked = { $value } était déjà bloqué.
lists-there-accepted = { $value } était déjà accepté.
lists-removed-before = { $value } n’est plus dans cette liste : il n’y a rien à retirer.
lists-noted-before = La note sur { $value } est restée la même.
lists-confirmed-before = { $value } n’attendait pas de confirmation.
lists-nothing-waits = Rien n’attend votre confirmation.
lists-removed = { $value } est retiré de la liste.
lists-noted = La note sur { $value } est enregistrée.
lists-confirmed = Vous gardez { $value }.
lists-confirmed-all =
    { $count ->
        [one] Vous gardez l’entrée qui attendait.
       *[other] Vous gardez les { $count } entrées qui attendaient.
    }
lists-full = La liste est pleine : elle contient 10 000 entrées. Retirez-en, ou remplacez plusieurs adresses par leur domaine.
lists-too-full = La liste « { $list } » dépasserait 10 000 entrées : rien n’a été ajouté. Ajoutez moins de lignes, retirez des entrées, ou remplacez plusieurs adresses par leur domaine.
lists-functional = Une boîte fonctionnelle n’a pas de liste personnelle. Utilisez les listes des expéditeurs bloqués ou acceptés.

lists-bad-empty = Le champ est vide. Entrez une adresse (nom@exemple.fr) ou un domaine (exemple.fr).
lists-bad-no-address = Il n’y a là ni adresse ni domaine. Entrez une adresse (nom@exemple.fr) ou un domaine (exemple.fr).
lists-bad-malformed = Cette adresse n’est pas correcte. Vérifiez l’arobase, les points et les espaces.
lists-bad-too-long = Cette ligne est trop longue. Partagez-la en plusieurs lignes.
lists-bad-unclosed = Un guillemet n’est pas refermé, ou une fiche n’est pas terminée. Corrigez le fichier à cette ligne.
lists-bad-unknown-list = La liste nommée n’existe pas. Écrivez white, black ou personal, ou ne nommez aucune liste.
lists-bad-too-many = La suite n’a pas été prise : il y a trop de lignes. Ajoutez-la en une seconde fois.
lists-refused-everybody = Cette entrée couvrirait tout le monde. Entrez une adresse ou un domaine.
lists-refused-public-suffix = Sous cette extension, des inconnus ont leurs domaines. Entrez une adresse ou un domaine entier.
lists-refused-own-domain = Le courrier de votre organisation est professionnel : il ne peut pas être déclaré personnel. Pour vos échanges privés, déclarez l’adresse privée de la personne.
lists-refused-protected-domain = Votre organisation a déclaré ce domaine professionnel : il ne peut pas être déclaré personnel. Déclarez l’adresse privée de la personne, ou parlez-en au gestionnaire.
lists-refused-freemail = N’importe qui peut avoir une adresse dans ce domaine. Entrez l’adresse complète de la personne.
lists-refused-protected-sender = Votre organisation protège cet expéditeur : il ne peut pas être bloqué. Pour ranger ses messages, utilisez les règles de votre messagerie.
lists-refused-globs-off = Votre organisation n’admet pas les motifs. Entrez une adresse, un domaine (exemple.fr) ou ses sous-domaines (*.exemple.fr).

lists-empty-title = Cette liste est vide
lists-search = Chercher
lists-search-label = Chercher dans la liste
lists-search-all = Toute la liste
lists-search-none = Rien dans cette liste ne contient « { $search } ».
lists-caption =
    { $count ->
        [one] Un expéditeur
       *[other] { $count } expéditeurs, page { $page }
    }
lists-column-sender = Expéditeur
lists-column-added = Ajouté
lists-column-last = Dernier message
lists-column-actions = Actions
lists-sort = , trier
lists-pages = Pages de la liste
lists-range = { $first } à { $last } sur { $count }
lists-previous = Précédente
lists-next = Suivante
lists-page-number = Page { $number }

lists-locked-title = Verrou personnel fermé.
lists-locked-text = Cette session peut ajouter à vos listes, pas les lire : elle a été ouverte sans secret à vous.
lists-locked-link = Ouvrir avec un secret à vous

lists-offer-title = Une meilleure possibilité
lists-offer-move = { $value } se trouve déjà dans une autre liste : { $lists }. Une même adresse dans deux listes prête à confusion.
lists-offer-move-yes = Déplacer vers { $list }
lists-offer-many = Vous avez déjà plusieurs adresses de { $domain } dans cette liste. Le domaine entier dit la même chose en une entrée, et vaut aussi pour ses prochaines adresses.
lists-offer-changing = { $value } semble faite pour un seul message : la prochaine fois, ce sera une autre. Le domaine { $domain } reste le même.
lists-offer-domain-yes = Ajouter { $domain }
lists-offer-alone = Ajouter seulement { $value }
lists-offer-both = Ajouter { $value } sans rien déplacer
lists-offer-none = Ne rien ajouter

lists-entry-title = Une entrée
lists-entry-lead = Voici à quoi cette entrée s’applique. Vous pouvez la noter, la déplacer ou la retirer ; tout changement s’annule pendant 30 jours.
lists-entry-list = Liste
lists-entry-scope = S’applique à
lists-hindrance-unreadable = Cette entrée ne peut pas être lue. Elle s’applique peut-être encore : saisissez de nouveau la même adresse pour la retrouver, ou demandez conseil à l’assistance.
lists-hindrance-paused = Le traitement est suspendu : vos listes ne s’appliquent pas tant qu’il n’a pas repris.
lists-hindrance-refused = Votre organisation n’admettrait plus cette entrée aujourd’hui. Elle est peut-être sans effet ; retirez-la ou remplacez-la.
lists-hindrance-enforced = Une règle de votre organisation passe avant cette entrée.
lists-hindrance-blocked = Vous bloquez { $by } : le blocage l’emporte. Pour que cette entrée ait un effet, débloquez { $by } ou acceptez aussi ce qu’elle désigne.
lists-hindrance-accepted = Vous acceptez { $by } : à portée égale, l’acceptation l’emporte.
lists-hindrance-unmarked = Vos messages personnels ne sont pas marqués, par votre choix ou celui de votre organisation : voyez vos réglages.
lists-hindrance-authentication = Cette entrée ne vaut que pour les messages dont l’expéditeur est authentifié : un message falsifié n’est pas pris pour le sien.
lists-hindrance-glob = Le relais peut lire ce motif, à la différence d’une adresse ou d’un domaine.

lists-paste-title = Coller plusieurs expéditeurs
lists-paste-lead = Collez des adresses et des domaines comme ils viennent : d’un message, d’un carnet, d’un tableau. Rien n’est ajouté avant que vous ayez vu ce que la console a compris.
lists-paste-field = Adresses et domaines
lists-paste-hint = Séparés par des virgules, des points-virgules ou des retours à la ligne. « Nom <adresse> » convient.
lists-look = Voir avant d’ajouter
lists-import-title = Importer un fichier
lists-import-lead = La console lit les tableaux (CSV), les carnets d’adresses (vCard), les textes et ses propres exports. Rien n’est ajouté avant que vous ayez vu ce qu’elle a compris.
lists-import-field = Fichier
lists-import-hint = CSV, vCard, texte ou JSON, { $megabytes } Mo au plus.
lists-file-too-large = Le fichier est trop volumineux. Partagez-le en plusieurs fichiers.
lists-file-empty = Aucun fichier, ou un fichier vide. Choisissez un fichier CSV, vCard ou texte.
lists-file-binary = Ce fichier n’est pas un texte. Dans votre tableur, enregistrez-le au format CSV.
lists-preview-title = Avant d’ajouter
lists-preview-lead = Voici ce que la console a compris. Les lignes écartées sont nommées avec leur raison ; les autres n’attendent que votre accord.
lists-preview-good =
    { $count ->
        [0] Aucune entrée à ajouter.
        [one] Une entrée à ajouter.
       *[other] { $count } entrées à ajouter.
    }
lists-preview-bad =
    { $count ->
        [one] Une ligne écartée.
       *[other] { $count } lignes écartées.
    }
lists-preview-repeated =
    { $count ->
        [one] Une répétition laissée de côté.
       *[other] { $count } répétitions laissées de côté.
    }
lists-preview-add =
    { $count ->
        [one] Ajouter cette entrée
       *[other] Ajouter ces { $count } entrées
    }
lists-preview-move =
    { $count ->
        [one] Déplacer l’expéditeur qui est sur une autre de vos listes
       *[other] Déplacer les { $count } expéditeurs qui sont sur une autre de vos listes
    }
lists-preview-move-hint = Sinon ils restent sur les deux. Un expéditeur bloqué le reste, même déclaré personnel.
lists-preview-elsewhere-title = Déjà sur une autre liste
lists-preview-elsewhere-list = Liste actuelle
lists-preview-none = Ne rien ajouter
lists-preview-bad-title = Lignes écartées
lists-preview-bad-caption = Ce qui ne sera pas ajouté, et pourquoi
lists-preview-all-bad = Les { $count } lignes écartées
lists-preview-all-bad-hint = Le tableau en montre { $shown } ; les voici toutes : numéro de ligne, texte, raison. Copiez-les pour les corriger.
lists-preview-good-title = Entrées à ajouter
lists-preview-caption = { $shown } sur { $count }
lists-preview-text = Texte
lists-preview-why = Raison
lists-line = Ligne
lists-suggest-title = Plus court et plus durable
lists-suggest-many = { $count } adresses sont de { $domain } : le domaine entier les couvre toutes.
lists-suggest-changing = Une adresse de { $domain } semble changer à chaque message : le domaine reste.
lists-suggest-add = Prendre { $domain } à la place

lists-export-title = Exporter vos listes
lists-export-lead = Emportez vos listes et vos notes dans un fichier. Le fichier n’est pas protégé : gardez-le en lieu sûr.
lists-export-csv = Tableau (CSV)
lists-export-csv-text = Pour un tableur, et pour revenir dans cette console. Un texte qu’un tableur prendrait pour une formule porte une apostrophe devant lui.
lists-export-json = JSON
lists-export-json-text = Pour un programme, et pour revenir dans cette console.
lists-export-sieve = Script Sieve
lists-export-sieve-text = Pour les règles d’un autre serveur de messagerie. Ces règles ne vérifient pas l’expéditeur : un message falsifié y passe pour le sien.
lists-export-privacy = L’export reste dans votre navigateur : la console n’en garde aucune copie.

lists-journal-title = Changements
lists-journal-lead = Tout ce qui a changé sur votre compte, et qui l’a fait. Un changement de vos listes s’annule pendant { $days } jours.
lists-journal-empty = Rien n’a changé jusqu’ici.
lists-journal-caption = Changements, le plus récent d’abord
lists-journal-when = Quand et par qui
lists-journal-what = Quoi
lists-journal-more =
    { $count ->
        [one] et un autre
       *[other] et { $count } autres
    }
lists-journal-undone = annulé
lists-journal-number = le changement numéro { $number }
lists-journal-older = Changements plus anciens
lists-by-user = par vous
lists-by-file = par vous, depuis un fichier
lists-by-system = par la console
lists-by-administrator = par { $name }
lists-kind-entries = Listes modifiées
lists-kind-undo = Changement annulé
lists-kind-options = Réglages modifiés
lists-kind-account = Compte créé
lists-kind-grant = Autorisation de lecture donnée ou retirée
lists-kind-grant-used = Liste lue avec votre autorisation
lists-kind-disabled = Compte désactivé
lists-kind-enabled = Compte activé
lists-kind-alias-added = Adresse ajoutée au compte
lists-kind-alias-removed = Adresse retirée du compte
lists-kind-activity-erased = Historique effacé
lists-kind-password-added = Mot de passe choisi
lists-kind-password-removed = Mot de passe retiré
lists-kind-passkey-added = Clé d’accès ajoutée
lists-kind-passkey-removed = Clé d’accès retirée
lists-kind-recovery-added = Code de secours créé
lists-kind-recovery-used = Code de secours utilisé
lists-kind-recovery-removed = Code de secours retiré
lists-kind-lock-on = Verrou personnel mis
lists-kind-lock-off = Verrou personnel retiré
lists-kind-sessions-ended = Sessions terminées
lists-kind-fresh-start-asked = Nouveau départ sans les anciens secrets demandé
lists-kind-fresh-start-cancelled = Nouveau départ annulé
lists-kind-secrets-reset = Nouveau départ sans les anciens secrets
lists-kind-unreadable-removed = Adresses illisibles retirées
lists-kind-other = Compte modifié
lists-did-add = { $value } ajouté ({ $list })
lists-did-remove = { $value } retiré ({ $list })
lists-did-note = note sur { $value } ({ $list })
lists-did-confirm = { $value } gardé ({ $list })
lists-did-reopen = { $value } à confirmer de nouveau ({ $list })
lists-did-leave-out = { $value } laissé de côté, la liste était pleine ({ $list })
lists-undone = Le changement est annulé. Cette annulation s’annule aussi.
lists-undone-partly =
    { $left ->
        [one] Le changement est annulé, sauf pour une entrée que vous avez changée depuis.
       *[other] Le changement est annulé, sauf pour { $left } entrées que vous avez changées depuis.
    }
lists-undone-refused =
    { $refused ->
        [one] Le changement est annulé, sauf pour une entrée que votre organisation n’admettrait plus aujourd’hui.
       *[other] Le changement est annulé, sauf pour { $refused } entrées que votre organisation n’admettrait plus aujourd’hui.
    }
lists-undo-refused = Votre organisation n’admettrait plus ces entrées aujourd’hui : elles ne reviennent pas.
lists-undo-unknown = Il n’y a rien à annuler : ce changement n’a rien changé à vos listes, ou il n’est plus connu.
lists-undo-expired = Ce changement a plus de 30 jours : il ne s’annule plus. Modifiez la liste elle-même.
lists-undo-contradicted = Des changements plus récents portent sur les mêmes entrées. Annulez-les d’abord, ou modifiez la liste elle-même.
