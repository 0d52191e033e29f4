staff-operator = Exploitation
staff-add = Ajouter
staff-remove = Retirer
staff-save = Enregistrer
staff-action = Action
staff-search = Rechercher
staff-search-send = Rechercher
staff-unchanged = Rien n’a changé : ces valeurs étaient déjà en vigueur.
staff-announced = Chaque utilisateur de l’organisation en est averti à sa prochaine visite.
staff-address = Adresse
staff-password = Mot de passe
staff-password-hint = Au moins douze caractères ; une phrase convient.
staff-password-short = Le mot de passe a au moins douze caractères.
staff-password-long = Le mot de passe est trop long : 256 octets au plus.
staff-password-plain = Ce mot de passe se devine trop facilement. Choisissez une suite de mots sans lien.
staff-password-address = Ce mot de passe est fait de votre adresse. Choisissez autre chose.
staff-code = Code à six chiffres
staff-code-hint = Celui que montre votre application d’authentification.
staff-sign-in-title = Gestion : se connecter
staff-sign-in-lead = Pour les gestionnaires d’organisation et l’exploitation : mot de passe et second facteur.
staff-sign-in-refused = L’adresse, le mot de passe et le code ne vont pas ensemble. Chaque code ne sert qu’une fois : attendez le suivant.
staff-sign-in-send = Se connecter
staff-sign-in-first = Première connexion : j’ai reçu un code d’inscription
staff-sign-in-users = Gérer mes propres listes
staff-enrol-title = S’inscrire
staff-enrol-lead = L’exploitation vous a remis un code. Il sert une fois, pendant 24 heures.
staff-enrol-code = Code d’inscription
staff-enrol-code-hint = Six groupes de quatre caractères.
staff-enrol-enter = Continuer
staff-enrol-unknown = Ce code n’est pas connu, a déjà servi ou n’est plus valable. Demandez-en un autre à l’exploitation.
staff-enrol-for = Vous inscrivez :
staff-enrol-first = 1. Un mot de passe
staff-enrol-second = 2. Un second facteur
staff-enrol-scan = Photographiez ce carré avec une application d’authentification (TOTP).
staff-enrol-qr = Carré à photographier ; la même clé est écrite dessous.
staff-enrol-typed = Ou entrez-y cette clé :
staff-enrol-code-shown = Celui que l’application montre maintenant.
staff-enrol-code-wrong = Ce code ne correspond pas. Vérifiez l’heure du téléphone, puis entrez le code suivant.
staff-enrol-confirm = S’inscrire
staff-enrol-done = Vous êtes inscrit. Connectez-vous avec le code suivant.
staff-overview-title = Vue d’ensemble
staff-overview-lead = Votre organisation dans la console. Les listes de chacun n’appartiennent qu’à lui.
staff-totals = Totaux par jour
staff-totals-hidden = Les totaux sont masqués en dessous de dix utilisateurs : ils parleraient de personnes et non de l’organisation.
staff-totals-none = Pas encore de jour complet.
staff-totals-caption = Destinataires de messages, par jour terminé (UTC)
staff-totals-day = Jour
staff-total-decided = Décidés
staff-total-personal = Personnels
staff-total-blocked = Bloqués
staff-total-wanted = Acceptés
staff-privacy-title = Ce que vous ne voyez pas
staff-privacy-text = Ni les listes des utilisateurs, ni leur nombre d’entrées, ni leur historique : aucune page ne les montre, aucune recherche ne les devine.
staff-lists-title = Listes de l’organisation
staff-lists-lead = Elles valent pour tous les utilisateurs. Ce ne sont les contacts privés de personne : tout gestionnaire les lit.
staff-lists-add-title = Ajouter un expéditeur
staff-lists-value = Expéditeur
staff-lists-value-hint = Une adresse (a@b.fr), un domaine (b.fr) ou un domaine et ses sous-domaines (*.b.fr).
staff-lists-list = Liste
staff-lists-black = Bloqués (liste noire)
staff-lists-white = Acceptés (liste blanche)
staff-lists-level = Force
staff-lists-enforced = Imposée
staff-lists-enforced-hint = Passe avant les listes des utilisateurs.
staff-lists-default = Par défaut
staff-lists-default-hint = Vaut pour qui n’a rien dit d’autre.
staff-lists-empty = Aucune entrée.
staff-lists-caption = Expéditeurs des listes de l’organisation
staff-lists-wrong = Ce n’est ni une adresse, ni un domaine. Écrivez par exemple a@b.fr, b.fr ou *.b.fr.
staff-lists-everybody = Cette entrée couvrirait tout le monde. Donnez une adresse ou un domaine.
staff-lists-public-suffix = C’est un suffixe public, sous lequel des inconnus ont leurs domaines. Donnez un domaine entier.
staff-lists-freemail = N’importe qui peut avoir une adresse dans ce domaine. Donnez l’adresse de la personne.
staff-lists-full = Cette liste est pleine : 10 000 entrées.
staff-lists-added = { $value } est sur la liste de l’organisation.
staff-lists-removed = { $value } n’est plus sur la liste de l’organisation.
staff-domains-title = Domaines métier
staff-domains-lead = Personne ne peut déclarer personnels les messages de ces domaines : clients, fournisseurs, administrations.
staff-domains-field = Domaine à protéger
staff-domains-hint = Par exemple client.fr ; ses sous-domaines en font partie.
staff-domains-protected = Domaines protégés
staff-domains-none = Aucun domaine n’est protégé.
staff-domains-served = Domaines de l’organisation
staff-domains-served-text = Leurs propres expéditeurs ne peuvent être ni personnels, ni bloqués. L’exploitation les change.
staff-domains-wrong = Ce n’est pas un domaine. Écrivez par exemple client.fr.
staff-domains-added = { $domain } est protégé.
staff-domains-removed = { $domain } n’est plus protégé.
staff-marking-title = Marquage
staff-marking-lead = Comment un message personnel se reconnaît. Le mot doit être celui de votre charte.
staff-marking-tag-text = Texte placé devant l’objet
staff-marking-tag-hint = Par exemple [PERSO] ou [PRIVÉ].
staff-marking-folder-name = Dossier des messages personnels
staff-marking-folder-hint = Lettres sans accent, chiffres, tirets.
staff-marking-actions = Marquage de l’organisation
staff-marking-choices = Marquages que les utilisateurs peuvent choisir
staff-marking-tag = Texte devant l’objet
staff-marking-folder = Classement dans le dossier
staff-marking-mark = Marque signée, invisible à la lecture
staff-marking-set = Le marquage est changé, et annoncé aux utilisateurs.
staff-wrong-tag = Ce texte ne peut pas précéder un objet : une ligne de 64 octets au plus.
staff-wrong-folder = Ce nom ne convient pas : des lettres sans accent, des chiffres, - et _, une lettre ou un chiffre d’abord.
staff-wrong-console-networks = Ce n’est pas un réseau. Écrivez par exemple 192.0.2.0/24 ou 2001:db8::/32, un par ligne.
staff-wrong-dpo = Une ligne de 200 caractères au plus.
staff-conflict-delimiter = Le classement demande un délimiteur d’adresse, et ce relais n’en a pas. Choisissez un autre marquage, ou adressez-vous à l’exploitation.
staff-conflict-holds-delimiter = Le nom du dossier contient le délimiteur d’adresse. Choisissez-en un autre.
staff-conflict-same-folder = Les messages bloqués seraient classés parmi les personnels. Choisissez un autre dossier.
staff-conflict-tag-is-spam = Ce texte serait pris pour une marque de spam et retiré. Choisissez-en un autre.
staff-conflict-unproven = Personne n’a encore prouvé que ce dossier existe dans la messagerie. Demandez à l’exploitation d’envoyer un message d’essai, puis recommencez.
staff-rules-title = Règles
staff-rules-lead = Combien de temps une session reste ouverte, d’où la console s’ouvre, qui y a un compte.
staff-rules-idle = Fin de session sans activité
staff-rules-minutes = { $minutes } minutes
staff-rules-networks = Réseaux autorisés
staff-rules-networks-hint = Un par ligne, par exemple 192.0.2.0/24. Vide : de partout. Chacun garde partout l’accès à ses propres données.
staff-rules-locked-out = Vous-même ne pourriez plus ouvrir cette page : votre adresse est { $address }. Ajoutez son réseau.
staff-rules-create = Comptes
staff-rules-create-on = La première connexion ouvre un compte
staff-rules-create-hint = Pour toute adresse des domaines de l’organisation. Sinon, seuls les comptes ajoutés ici se connectent.
staff-rules-language = Langue de qui n’en a pas choisi
staff-rules-dpo = Délégué à la protection des données
staff-rules-dpo-hint = Son nom et comment le joindre ; les utilisateurs le lisent.
staff-rules-set = Les règles sont changées.
staff-users-title = Utilisateurs
staff-users-lead = Les comptes de votre organisation ; jamais ce que contiennent leurs listes.
staff-users-add = Ajouter une personne
staff-users-add-hint = Son adresse dans un domaine de l’organisation.
staff-users-search = Adresse qui commence par
staff-users-none = Aucune adresse ne commence ainsi.
staff-users-caption = Comptes, par adresse
staff-users-next = Page suivante
staff-users-wrong = Ce n’est pas une adresse. Écrivez-la en entier.
staff-users-foreign = Cette adresse n’est pas dans un domaine de votre organisation.
staff-users-taken = Cette adresse a déjà un compte.
staff-users-added = Le compte est ajouté.
staff-user-title = Utilisateur
staff-user-status = État
staff-user-active = Actif
staff-user-inactive = Désactivé
staff-user-since = Depuis
staff-user-aliases = Autres adresses
staff-user-sessions-title = Appareil perdu
staff-user-sessions-text = Toutes les sessions de cette personne se terminent, où qu’elles soient ouvertes. Elle se reconnecte quand elle veut.
staff-user-sessions-end = Terminer ses sessions
staff-user-sessions-ended = Les sessions de cette personne sont terminées.
staff-user-disable-title = Désactiver le compte
staff-user-disable-text = Son courrier passe comme sans listes, et elle ne se connecte plus. Rien n’est effacé.
staff-user-disable = Désactiver
staff-user-disabled = Le compte est désactivé.
staff-user-enable-title = Réactiver le compte
staff-user-enable-text = Ses listes s’appliquent de nouveau.
staff-user-enable = Réactiver
staff-user-enabled = Le compte est réactivé.
staff-import-title = Importer des utilisateurs
staff-import-lead = Un fichier CSV dont la première colonne est l’adresse, ou des lignes collées. Vous voyez d’abord ce qui sera fait.
staff-import-file = Fichier
staff-import-text = Ou lignes collées
staff-import-text-hint = Une adresse par ligne, 5 000 au plus.
staff-import-check = Vérifier
staff-import-empty = Choisissez un fichier, ou collez des lignes.
staff-import-bad = Lignes laissées de côté
staff-import-line = Ligne
staff-import-what = Texte
staff-import-why = Raison
staff-import-no-address = Ce n’est pas une adresse.
staff-import-foreign = Pas dans un domaine de votre organisation.
staff-import-twice = Déjà plus haut dans le fichier.
staff-import-too-many = Au-delà de 5 000 lignes : importez le reste ensuite.
staff-import-good = Adresses à ajouter
staff-import-confirm = Ajouter ces comptes
staff-import-back = Recommencer
staff-granted-title = Accès accordés
staff-granted-lead = Les listes que des utilisateurs vous laissent lire, pour un temps. Ils voient chaque consultation.
staff-granted-none = Personne ne vous a accordé d’accès. Un utilisateur le fait lui-même, dans son menu, à « Accès de l’assistance ».
staff-granted-caption = Accès en cours
staff-granted-list-title = Liste consultée
staff-granted-seen = Cette personne voit que vous avez consulté sa liste.
staff-granted-locked = Le verrou personnel de cette personne est en place : la liste ne s’ouvre pas.
staff-granted-empty = Cette liste est vide.
staff-granted-altered = Une entrée altérée, illisible
staff-health-title = État
staff-health-lead = Ce que ce processus sait de lui-même. Aucun chiffre n’y parle d’une personne.
staff-health-store = Base
staff-health-keys = Clés
staff-health-keys-both = match.key et seal.key
staff-health-keys-match = match.key seule : les valeurs scellées ne s’ouvrent pas ici
staff-health-journal = Journal
staff-health-journal-good = La chaîne se vérifie
staff-health-journal-bad = La chaîne est rompue :
staff-organisations-title = Organisations
staff-organisations-lead = Chacune a ses domaines, ses réglages et ses gestionnaires.
staff-organisations-none = Aucune organisation.
staff-organisations-caption = Organisations servies
staff-organisations-add = Ajouter une organisation
staff-organisations-name = Nom
staff-organisations-domain = Domaine
staff-organisations-name-wrong = Le nom a 1 à 64 octets, sur une ligne.
staff-organisations-name-taken = Une organisation porte déjà ce nom.
staff-organisations-domain-taken = Ce domaine est à une autre organisation.
staff-organisations-domain-used = Des utilisateurs ont encore des adresses dans ce domaine.
staff-organisations-added = L’organisation est ajoutée.
staff-organisation-title = Organisation
staff-organisation-settings = Réglages
staff-organisation-settings-text = Les mêmes clés que sur la ligne de commande ; un champ vide suit la configuration.
staff-organisation-set = L’organisation est changée.
staff-team-title = Équipe
staff-team-lead = Exploitation et gestionnaires. Aucun ne lit les listes des utilisateurs.
staff-team-caption = Membres, par adresse
staff-team-role = Rôle
staff-team-last = dernière connexion
staff-team-self = Vous
staff-team-invited = Invité
staff-team-active = Actif
staff-team-disabled = Désactivé
staff-team-enable = Réactiver
staff-team-disable = Désactiver
staff-team-reset = Réinitialiser
staff-team-add = Ajouter un membre
staff-team-add-hint = Il reçoit un code d’inscription, que vous lui remettez.
staff-team-manager-of = Gestionnaire de { $name }
staff-team-wrong = Ce n’est pas une adresse. Écrivez-la en entier.
staff-team-taken = Cette adresse est déjà celle d’un membre.
staff-team-refused = L’adresse est trop longue (64 octets), ou il y a déjà cent membres de ce rôle.
staff-team-code-title = Code d’inscription
staff-team-code-for = Remettez ce code vous-même à
staff-team-code-text = Il sert une fois, pendant 24 heures, et n’est plus montré ensuite. À entrer à l’adresse :
staff-team-was-disabled = { $address } ne peut plus se connecter.
staff-team-was-enabled = { $address } peut se connecter de nouveau.
staff-team-was-removed = { $address } n’est plus membre.
staff-overview-users =
    { $count ->
        [one] Un utilisateur a un compte.
       *[other] { $count } utilisateurs ont un compte.
    }
staff-lists-more =
    { $count ->
        [one] Et une autre : cherchez-la.
       *[other] Et { $count } autres : cherchez-les.
    }
staff-import-counts =
    { $good ->
        [one] Une ligne sera prise
       *[other] { $good } lignes seront prises
    }, { $bad ->
        [0] aucune laissée de côté.
        [one] une laissée de côté.
       *[other] { $bad } laissées de côté.
    }
staff-import-done =
    { $accepted ->
        [0] Aucun compte ajouté
        [one] Un compte ajouté
       *[other] { $accepted } comptes ajoutés
    }, { $refused ->
        [0] aucun refusé.
        [one] un refusé : l’adresse avait déjà un compte.
       *[other] { $refused } refusés : ces adresses avaient déjà un compte.
    }
